"""Hooks: those that do not exist, those of other plugins, and those asked of everyone."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from corehost import Message, PermissionSet, UserContext
from corehost.contract.errors import InvalidError, MethodNotFoundError, PermissionDeniedError
from corehost.plugins.hooks import HOOKS
from tests.plugins.workshop import ADMIN, Workshop, needs

BOARD = """
class Specs:
    @hookspec
    def board_widgets(self, user): "Widgets for a user."
    @hookspec(firstresult=True)
    def board_title(self): "The first wins."

@hookimpl
def corehost_hookspecs():
    return HookspecsSpec(namespace=Specs, schemas={"board_widgets": {"type": "array", "items": {"type": "string"}}})

@hookimpl
def corehost_setup(context):
    global CONTEXT
    CONTEXT = context
"""
WIDGET = """
@hookimpl(optionalhook=True)
def board_widgets(user):
    return [ID + " for " + user]

@hookimpl(optionalhook=True)
async def board_title():
    return ID
"""


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("@hookimpl\ndef corehost_setpu(context): ...", "Did you mean 'corehost_setup'"),
        ("@hookimpl\ndef corehost_setup(contxt): ...", "contxt"),
        ("def corehost_teardown(): ...", "put @hookimpl above it"),
        ("def corehost_tear_down(): ...", "Did you mean 'corehost_teardown'"),
        ("@hookimpl\ndef dashboard_widgets(): ...", "optionalhook=True"),
    ],
)
def test_what_is_no_hook_is_refused_with_the_nearest_that_is(workshop: Workshop, code: str, text: str) -> None:
    workshop.write("typo", code)
    workshop.start()

    assert workshop.status("typo") == "error"
    assert text in workshop.error("typo")


def test_all_misnamed_hooks_are_named_at_once(workshop: Workshop) -> None:
    workshop.write("typo", "@hookimpl\ndef corehost_lod(): ...\n@hookimpl\ndef corehost_enabel(): ...")
    workshop.start()

    assert "'corehost_load'" in workshop.error("typo")
    assert "'corehost_enable'" in workshop.error("typo")


def test_the_host_knows_every_hook_of_the_contract() -> None:
    assert {"corehost_manifest", "corehost_setup", "corehost_before_publish"} <= HOOKS


def board(workshop: Workshop) -> Any:
    return workshop.registry.get("board").module.CONTEXT.hooks  # type: ignore[union-attr]  # it is loaded


def test_a_plugin_asks_the_hooks_that_it_specified_of_everyone_who_implements_them(workshop: Workshop) -> None:
    workshop.write("board", BOARD)
    workshop.write("a", 'ID = "a"' + WIDGET, dependencies=needs("board"))
    workshop.write("b", 'ID = "b"' + WIDGET, dependencies=needs("board"), priority=3)
    workshop.write("wrong", 'ID = "wrong"' + WIDGET.replace("[ID", "3, [ID"), dependencies=needs("board"))
    workshop.write(
        "rude", 'ID = "rude"' + WIDGET.replace("return [ID", "raise SystemExit([ID").replace("user]", "user])")
    )
    workshop.write("silent", 'ID = "silent"' + WIDGET.replace("return [ID", "[ID"))
    plugins = workshop.start()
    hooks = board(workshop)

    assert hooks.call("board_widgets", user="ann") == [("b", ["b for ann"]), ("a", ["a for ann"])]
    assert hooks.call("board_title") == [("b", "b")]
    assert workshop.faults.summary("wrong")["errors"] == {"hook": 1}
    assert workshop.faults.summary("rude")["errors"] == {"hook": 1}
    with pytest.raises(InvalidError, match="called with user"):
        hooks.call("board_widgets")
    with pytest.raises(MethodNotFoundError, match="Did you mean 'board_widgets'"):
        hooks.call("board_widget", user="ann")

    plugins.lifecycle.disable("b")
    assert hooks.call("board_widgets", user="ann") == [("a", ["a for ann"])]
    plugins.lifecycle.enable("b")
    assert hooks.call("board_widgets", user="ann") == [("b", ["b for ann"]), ("a", ["a for ann"])]


def test_a_late_implementer_is_charged_and_left_out(workshop: Workshop) -> None:
    workshop.write("board", BOARD)
    workshop.write("a", 'ID = "a"' + WIDGET)
    workshop.write(
        "late", 'from threading import Event\nID = "late"' + WIDGET.replace("return [", "Event().wait(5); return [")
    )
    workshop.start(hook_seconds=0.3)

    assert board(workshop).call("board_widgets", user="ann") == [("a", ["a for ann"])]
    assert workshop.faults.summary("late")["errors"] == {"hook": 1}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (("@hookspec", "#"), "Mark them @hookspec"),
        (("board_", "widget_"), "Must begin with 'board_'"),
        (('"board_widgets": {"type"', '"board_wigets": {"type"'), "Did you mean 'board_widgets'"),
        (('"items": {"type": "string"}', '"items": {"type": "strong"}'), "schemas/board_widgets"),
    ],
)
def test_hooks_that_are_specified_wrongly_are_refused(workshop: Workshop, change: tuple[str, str], text: str) -> None:
    workshop.write("board", BOARD.replace(*change))
    workshop.start()

    assert text in workshop.error("board")


def test_a_host_wide_hook_is_asked_in_load_order_past_those_that_fail(workshop: Workshop) -> None:
    body = "@hookimpl\ndef corehost_template_context(user): return {}"
    workshop.write("a", body.format("{'by': 'a'}"))
    workshop.write("b", "@hookimpl\ndef corehost_template_context(user): 1/0", priority=2)
    workshop.write("c", body.format("None"), priority=1)
    hooks = workshop.start().hooks

    assert hooks.ask("corehost_template_context", user=None) == [("a", {"by": "a"})]
    assert workshop.faults.summary("b")["errors"] == {"hook": 1}
    assert [plugin.id for plugin in hooks.implementers("corehost_template_context")] == ["b", "c", "a"]
    assert hooks.first("corehost_authenticate", headers={}) is None


def test_a_plugin_may_decide_permissions_and_is_not_asked_by_its_own_decision(workshop: Workshop) -> None:
    workshop.write(
        "judge",
        """
        @hookimpl
        def corehost_setup(context):
            global CONTEXT
            CONTEXT = context
        @hookimpl
        def corehost_check_permission(user, permission):
            if permission == "lab:enter":
                return CONTEXT.core.plugins.call("judge", "rule", user.id)
        @hookimpl
        def corehost_api():
            return ApiSpec(version="1.0.0", methods={"rule": Method(handler=lambda i, c: i == "ann")})
        """,
        permissions=("api:expose", "plugins:communicate"),
    )
    permissions = workshop.start().permissions

    assert permissions.may(UserContext(id="ann"), "lab:enter") is True
    assert permissions.may(UserContext(id="bob", permissions=PermissionSet({"*"})), "lab:enter") is False
    assert permissions.may(ADMIN, "other:thing") is True
    assert permissions.may(UserContext(id="ann"), "other:thing") is False
    assert permissions.may(None, "other:thing") is False


def test_messages_are_amended_and_vetoed_before_they_are_published(workshop: Workshop) -> None:
    workshop.write(
        "censor",
        """
        import msgspec
        @hookimpl
        def corehost_setup(context):
            global CONTEXT
            CONTEXT = context
        @hookimpl
        def corehost_before_publish(message):
            if message.type == "bad:word":
                raise PermissionDeniedError("not here")
            if message.type == "odd:one":
                raise ValueError("oops")
            CONTEXT.core.messages.send("censor:seen", message.type)
            return msgspec.structs.replace(message, payload="checked", source="forged")
        """,
        permissions=("plugins:communicate",),
    )
    workshop.write("other")
    plugins = workshop.start()
    heard: list[Any] = []
    seen = threading.Event()

    def hear(message: Message) -> None:
        heard.append((message.payload, message.source))
        seen.set()

    workshop.bus.subscribe("a:b", hear)

    workshop.bus.send("a:b", "raw", source="other")
    assert seen.wait(10)
    assert heard == [("checked", "other")]
    with pytest.raises(PermissionDeniedError, match="not here"):
        workshop.bus.send("bad:word", source="other")
    assert workshop.bus.send("odd:one", "raw", source="other").payload == "raw"
    assert workshop.faults.summary("censor")["errors"] == {"hook": 1}
    assert [m.payload for m in workshop.bus.get_history("censor:seen")] == ["a:b"]

    plugins.lifecycle.disable("censor")
    assert workshop.bus.send("bad:word", "raw", source="other").payload == "raw"


def test_the_next_plugin_sees_who_really_sent_an_amended_message(workshop: Workshop) -> None:
    workshop.write(
        "forger",
        """
        import msgspec
        @hookimpl
        def corehost_before_publish(message):
            return msgspec.structs.replace(message, source="core", type="core:fake", payload="amended")
        """,
        priority=1,
    )
    workshop.write(
        "witness",
        """
        @hookimpl
        def corehost_before_publish(message):
            note(f"{message.type} {message.source} {message.payload}")
        """,
    )
    workshop.write("sender")
    workshop.start()

    workshop.bus.send("a:b", "raw", source="sender")

    assert workshop.noted() == ["a:b sender amended"]
