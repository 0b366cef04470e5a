"""Plugins coming, going and failing while the host runs."""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from corehost.contract.errors import (
    ConflictError,
    CorehostError,
    DependantsError,
    DependencyError,
    DisabledError,
    LateError,
    ManifestError,
    NotAllowedError,
    NotFoundError,
    PluginFaultError,
)
from corehost.contract.message import Handler
from corehost.plugins.registry import Plugin
from tests.plugins.workshop import Workshop, needs

FULL = """
LOADED = writable(1)

async def double(input, context):
    return input * 2

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={"double": Method(handler=double)})

@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/full", routes=(Route(path="/", view=lambda: ""),))

@hookimpl
def corehost_messages():
    return MessagesSpec(handlers={"tick": Handler(handle=lambda message: None)},
                        schemas={"tick": MessageSchema(type="full:tick", payload={"type": "object"})})

@hookimpl
def corehost_stores():
    return StoresSpec(writable={"loaded": LOADED})

def work(signal):
    signal.wait(30)

@hookimpl
async def corehost_setup(context):
    context.core.messages.subscribe("other:*", print)
    context.core.events.on("plugin:*", print)
    context.every(60, print)
    context.later(60, print)
    context.spawn(work)
    context.storage.set("a", 1)
    context.core.state.subscribe("key", print)
    for store in context.core.plugins.get("base").stores.values():
        store.subscribe(print)
"""
ALL = ("routes:register", "api:expose", "plugins:communicate", "storage:read", "storage:write")
HOOKS = """
@hookimpl
def corehost_before_load(): note("before_load " + status())
@hookimpl
def corehost_setup(context):
    note("setup " + status())
    context.spawn(lambda: None)
@hookimpl
def corehost_load(): note("load " + status())
@hookimpl
def corehost_enable(): note("enable " + status())
@hookimpl
def corehost_disable(): note("disable " + status())
@hookimpl
def corehost_unload(): note("unload " + status())
@hookimpl
def corehost_teardown(): note("teardown " + status())
@hookimpl
def corehost_error(error): note("error " + str(error))

def status(): return ""
"""


def base(workshop: Workshop) -> None:
    workshop.write(
        "base",
        """
        from corehost.contract.stores import readable
        WATCHED = readable(0, lambda set: (note("watched"), lambda: note("unwatched"))[1])

        @hookimpl
        def corehost_stores():
            return StoresSpec(readable={"watched": WATCHED})
        """,
    )


def threads_of(plugin_id: str) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(f"plugin-{plugin_id}")]


def test_hooks_are_called_in_the_order_of_the_specification_and_each_status_is_reached(workshop: Workshop) -> None:
    body = HOOKS.replace('def status(): return ""', 'def status(): return CONTEXT.get("clock").status\nCONTEXT = None')
    body = body.replace('note("setup', 'global CONTEXT\n    CONTEXT = context.core.plugins\n    note("setup')
    body = body.replace('note("before_load " + status())', 'note("before_load")')
    workshop.write("clock", body)
    workshop.start()
    assert workshop.status("clock") == "enabled", workshop.error("clock")
    workshop.plugins.lifecycle.disable("clock")

    assert workshop.noted() == [
        "before_load",
        "setup loading",
        "load loaded",
        "enable loaded",
        "disable enabled",
        "unload unloading",
        "teardown unloading",
    ]
    assert workshop.status("clock") == "disabled"


def test_nothing_of_a_plugin_is_left_after_a_disable(workshop: Workshop) -> None:
    base(workshop)
    workshop.write("full", FULL, permissions=ALL, dependencies=needs("base", "*"))
    plugins = workshop.start()
    assert workshop.status("full") == "enabled", workshop.error("full")
    assert workshop.call("full", "double", 4) == 8
    module = weakref.ref(sys.modules["corehost_plugins.full"])
    assert workshop.bus.count("full") >= 2
    assert threads_of("full")

    plugins.lifecycle.disable("full")

    assert workshop.bus.count("full") == 0
    assert "full:tick" not in workshop.bus.schemas()
    assert workshop.messaging.lanes.lane("full") is None
    assert workshop.messaging.events.count("full") == 0
    assert threads_of("full") == []
    assert workshop.noted() == ["watched", "unwatched"]
    assert "corehost_plugins.full" not in sys.modules
    gc.collect()
    assert module() is None
    with pytest.raises(DisabledError):
        workshop.call("full", "double", 4)


@pytest.mark.parametrize("hook", ["before_load", "setup", "load", "enable"])
def test_nothing_is_left_after_a_load_that_fails(workshop: Workshop, hook: str) -> None:
    base(workshop)
    boom = f"\n@hookimpl\ndef corehost_{hook}({'context' if hook == 'setup' else ''}):\n"
    body = (
        FULL
        if hook != "setup"
        else FULL.replace("async def corehost_setup", "def prepare").replace("@hookimpl\ndef prepare", "def prepare")
    )
    boom += (
        "    prepare(context)\n    raise ValueError('boom')\n" if hook == "setup" else "    raise ValueError('boom')\n"
    )
    told = "\n@hookimpl\ndef corehost_error(error):\n    note(str(error))\n"
    workshop.write("full", body + boom + told, permissions=ALL, dependencies=needs("base", "*"))
    workshop.start()

    assert workshop.status("full") == "error"
    assert workshop.error("full") == f"'corehost_{hook}' of plugin 'full' failed: ValueError: boom"
    assert workshop.noted()[-1 if hook == "before_load" else 1].startswith(f"'corehost_{hook}'")
    assert (workshop.bus.count("full"), workshop.messaging.events.count("full"), threads_of("full")) == (0, 0, [])
    assert workshop.messaging.lanes.lane("full") is None
    assert "corehost_plugins.full" not in sys.modules
    assert workshop.status("base") == "enabled"


def test_a_plugin_that_raises_on_the_way_out_is_unwound_all_the_same(workshop: Workshop) -> None:
    workshop.write("rude", HOOKS.replace('note("unload " + status())', "raise SystemExit(3)"))
    plugins = workshop.start()

    plugins.lifecycle.disable("rude")

    assert workshop.status("rude") == "error"
    assert "SystemExit" in workshop.error("rude")
    assert [line.split()[0] for line in workshop.noted()][-3:] == ["disable", "error", "teardown"]
    assert "corehost_plugins.rude" not in sys.modules


@pytest.mark.parametrize("text", ["raise SystemExit(1)", "import sys; sys.exit()", "1/0", "def broken(:", "\0"])
def test_code_that_cannot_be_imported_is_listed_with_the_reason_and_the_rest_loads(
    workshop: Workshop, text: str
) -> None:
    (workshop.folder / "broken.py").write_text(text)
    workshop.write("fine")
    workshop.start()

    assert workshop.status("broken") == "error"
    assert "'import' of plugin 'broken' failed" in workshop.error("broken")
    assert workshop.status("fine") == "enabled"


def test_a_hook_past_its_deadline_fails_the_load_and_finds_its_context_closed(workshop: Workshop) -> None:
    body = """
    import time, threading
    @hookimpl
    def corehost_setup(context):
        gate = Path(str(LOG) + ".go")
        while not gate.exists():
            time.sleep(0.01)
        try:
            context.core.messages.subscribe("a:*", print)
        except CorehostError as error:
            note(type(error).__name__)
    """
    workshop.write("slow", body.replace("except CorehostError", "except Exception"), permissions=ALL)
    workshop.start(hook_seconds=0.3)

    assert workshop.status("slow") == "error"
    assert "was not done after 0.3 s" in workshop.error("slow")
    (workshop.log.parent / "log.txt.go").touch()
    deadline = time.monotonic() + 10
    while not workshop.noted() and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert workshop.noted() == ["DisabledError"]
    assert workshop.bus.count("slow") == 0


def test_a_plugin_that_others_need_is_disabled_only_with_them(workshop: Workshop) -> None:
    workshop.write("a", HOOKS)
    workshop.write("b", HOOKS, dependencies=needs("a", "^1.0.0"))
    workshop.write("c", HOOKS, dependencies=needs("b", "^1.0.0"))
    lifecycle = workshop.start().lifecycle

    with pytest.raises(DependantsError) as refused:
        lifecycle.disable("a")
    assert refused.value.dependants == ("c", "b")
    assert workshop.status("a") == "enabled"
    assert lifecycle.plan("a", "disabled").obstacles
    assert lifecycle.plan("a", "disabled", cascade=True).unload == ("c", "b", "a")

    lifecycle.disable("a", cascade=True)
    assert [workshop.status(name) for name in "abc"] == ["disabled"] * 3

    with pytest.raises(DependencyError, match=r"c needs b .*b is disabled"):
        lifecycle.enable("c")
    assert workshop.status("c") == "disabled"
    assert "corehost_plugins.c" not in sys.modules
    assert lifecycle.plan("c", "enabled", cascade=True).load == ("a", "b", "c")
    lifecycle.enable("c", cascade=True)
    assert [workshop.status(name) for name in "abc"] == ["enabled"] * 3


def test_choices_survive_a_restart_and_what_is_disabled_is_not_imported(workshop: Workshop) -> None:
    body = 'note("imported")\n'
    workshop.write("clock", body, enabled=True)
    workshop.write("shy", body, enabled=False)
    lifecycle = workshop.start().lifecycle
    assert (workshop.status("clock"), workshop.status("shy")) == ("enabled", "disabled")
    lifecycle.disable("clock")
    lifecycle.enable("shy")
    workshop.log.unlink()

    workshop.restart()

    assert (workshop.status("clock"), workshop.status("shy")) == ("disabled", "enabled")
    assert workshop.noted() == ["imported"]
    assert workshop.registry.get("clock").version == "1.0.0"


def test_a_failing_dependency_takes_its_dependants_along_and_says_so(workshop: Workshop) -> None:
    workshop.write("a", "@hookimpl\ndef corehost_setup(context): raise ValueError('boom')\n")
    workshop.write("b", dependencies=needs("a", "^1.0.0"))
    workshop.write("c", dependencies=needs("b", "^2.0.0"))
    workshop.write("d", dependencies=needs("e", "*"))
    workshop.start()

    assert "b needs a ^1.0.0, a failed: 'corehost_setup' of plugin 'a' failed: ValueError: boom" in workshop.error("b")
    assert "c needs b ^2.0.0, found b 1.0.0" in workshop.error("c")
    assert "d needs e *, e is not installed" in workshop.error("d")


def test_an_absent_optional_dependency_is_told_to_the_plugin(workshop: Workshop) -> None:
    workshop.write(
        "a",
        "@hookimpl\ndef corehost_setup(context): note(str(context.absent))\n",
        dependencies=needs("extra", "^1.0.0", optional=True),
    )
    workshop.start()

    assert workshop.status("a") == "enabled"
    assert workshop.noted() == ["('extra',)"]


def test_safe_mode_runs_built_in_plugins_only(workshop: Workshop) -> None:
    workshop.write("clock", 'note("imported")\n')
    lifecycle = workshop.start(safe_mode=True).lifecycle

    assert workshop.status("clock") == "disabled"
    assert workshop.noted() == []
    with pytest.raises(NotAllowedError, match="safe mode"):
        lifecycle.enable("clock")


def test_an_unregistered_plugin_is_gone_until_the_next_scan(workshop: Workshop) -> None:
    workshop.write("clock")
    lifecycle = workshop.start().lifecycle

    lifecycle.unregister("clock")
    with pytest.raises(NotFoundError):
        workshop.registry.get("clock")

    lifecycle.rescan()
    assert workshop.status("clock") == "enabled"


def test_the_second_plugin_of_an_id_is_a_fault_that_names_both_until_the_first_goes(workshop: Workshop) -> None:
    first = workshop.write("clock")
    package = workshop.folder / "more"
    package.mkdir()
    (package / "__init__.py").write_text(workshop.source("clock"))
    (package / "manifest.json").write_text('{"id": "clock", "name": "C", "version": "1.0.0", "description": ""}')
    second = workshop.folder.parent / "second"
    second.mkdir()
    other = second / "clock.py"
    other.write_text(workshop.source("clock"))
    lifecycle = workshop.start(folders=(workshop.folder, second)).lifecycle

    assert workshop.status("clock") == "enabled"
    assert workshop.registry.get("clock").origin.path == first
    fault = workshop.registry.get("clock@2")
    assert fault.status == "error"
    assert str(first) in str(fault.error)
    assert str(other) in str(fault.error)
    with pytest.raises(ConflictError):
        lifecycle.enable("clock@2")

    first.unlink()
    lifecycle.rescan()
    assert workshop.registry.get("clock").origin.path == other
    assert workshop.status("clock") == "enabled"


def test_a_quarantined_plugin_is_off_with_the_evidence_and_can_come_back(workshop: Workshop) -> None:
    workshop.write("stuck", HOOKS)
    workshop.write("needy", dependencies=needs("stuck", "*"))
    lifecycle = workshop.start().lifecycle
    gone = threading.Event()
    told = Handler(handle=lambda _: gone.set(), filter=lambda message: message.payload["id"] == "stuck")
    workshop.bus.subscribe("core:plugin:error", told)

    workshop.faults.quarantine("stuck", "three handlers did not come back")

    assert gone.wait(10)
    assert workshop.status("stuck") == "error"
    assert "three handlers did not come back" in workshop.error("stuck")
    assert "needs 'stuck', which failed" in workshop.error("needy")
    lifecycle.enable("stuck")
    assert workshop.status("stuck") == "enabled"


def test_a_hook_cannot_wait_for_another_change(workshop: Workshop) -> None:
    workshop.write("clock")
    plugins = workshop.start()
    outcome: list[BaseException] = []

    def part(_plugin: Plugin) -> Callable[[], None]:
        try:
            plugins.lifecycle.disable("clock")
        except CorehostError as error:
            outcome.append(error)
        return lambda: None

    plugins.add_part(part)
    workshop.write("late")
    plugins.lifecycle.rescan()

    assert [type(error) for error in outcome] == [ConflictError]
    assert workshop.status("late") == "enabled"


def test_a_part_that_raises_fails_the_load_and_undoes_the_parts_before_it(workshop: Workshop) -> None:
    workshop.write(
        "full",
        FULL.replace(
            '    for store in context.core.plugins.get("base").stores.values():\n        store.subscribe(print)\n', ""
        ),
        permissions=ALL,
    )
    plugins = workshop.plugins

    def refuse(_plugin: Plugin) -> Callable[[], None]:
        raise ConflictError("path taken")

    plugins.add_part(refuse)
    workshop.start()

    assert workshop.error("full") == "path taken"
    assert workshop.bus.schemas() == {}
    assert workshop.bus.count("full") == 0


def test_life_is_told_as_events_signals_and_messages(workshop: Workshop) -> None:
    heard: list[str] = []
    done = threading.Event()

    def hear(message: Any) -> None:
        heard.append(f"{message.type} {message.payload['id']}")
        if message.type == "core:plugin:disabled":
            done.set()

    workshop.bus.subscribe("core:plugin:*", hear)
    signalled: list[str] = []

    def loaded(_sender: Any, plugin_id: str) -> None:
        signalled.append(plugin_id)

    workshop.messaging.signals.plugin_unloaded.connect(loaded, weak=False)
    workshop.write(
        "watcher",
        """
        @hookimpl
        def corehost_setup(context):
            context.core.plugins.on_plugin_load(lambda plugin: note("load " + plugin.manifest.id))
            context.core.plugins.on_plugin_unload(lambda plugin_id: note("unload " + plugin_id))
            context.core.plugins.on_plugin_error(lambda plugin_id, reason: note("error " + plugin_id + " " + reason))
        """,
        priority=5,
    )
    workshop.write("clock")
    (workshop.folder / "zz.py").write_text("1/0")
    lifecycle = workshop.start().lifecycle
    lifecycle.disable("clock")

    assert done.wait(10)
    workshop.bus.drain()
    assert heard == [
        "core:plugin:error zz",
        "core:plugin:enabled watcher",
        "core:plugin:enabled clock",
        "core:plugin:disabled clock",
    ]
    assert signalled == ["clock"]
    assert workshop.noted() == ["load watcher", "load clock", "unload clock"]


def test_calls_and_messages_under_way_are_waited_for_before_unload(workshop: Workshop) -> None:
    workshop.write(
        "busy",
        """
        import threading
        inside, go = threading.Event(), threading.Event()
        def work(input, context):
            inside.set()
            go.wait(10)
            note("call ended")
        @hookimpl
        def corehost_api():
            return ApiSpec(version="1.0.0", methods={"work": Method(handler=work)})
        @hookimpl
        def corehost_disable():
            inside.wait(10)
            threading.Timer(0.2, go.set).start()
        @hookimpl
        def corehost_unload(): note("unload")
        """,
        permissions=ALL,
    )
    lifecycle = workshop.start(drain_seconds=10.0).lifecycle
    caller = threading.Thread(target=workshop.call, args=("busy", "work"))
    caller.start()

    lifecycle.disable("busy")
    caller.join(10)

    assert workshop.noted() == ["call ended", "unload"]


def test_what_enable_raises_says_what_was_wrong(workshop: Workshop) -> None:
    workshop.write(
        "late", "@hookimpl\ndef corehost_setup(context): Event().wait(5)\nfrom threading import Event\n", enabled=False
    )
    workshop.write("bad", "@hookimpl\ndef corehost_api(): return ApiSpec(version='x')\n", enabled=False)
    workshop.write("rude", "@hookimpl\ndef corehost_load(): 1/0\n", enabled=False)
    lifecycle = workshop.start(hook_seconds=0.3).lifecycle

    with pytest.raises(LateError):
        lifecycle.enable("late")
    with pytest.raises(ManifestError, match="api:expose"):
        lifecycle.enable("bad")
    with pytest.raises(PluginFaultError, match="division by zero"):
        lifecycle.enable("rude")
    with pytest.raises(NotFoundError):
        lifecycle.enable("nobody")


def test_nothing_can_call_a_plugin_any_more_when_it_is_told_to_unload(workshop: Workshop) -> None:
    workshop.write(
        "clock",
        """
        @hookimpl
        def corehost_setup(context):
            global CONTEXT
            CONTEXT = context
        @hookimpl
        def corehost_unload():
            CONTEXT.storage.set("a", "still usable")
            try:
                CONTEXT.core.messages.subscribe("a:*", print)
            except DisabledError:
                note("refused " + CONTEXT.storage.get("a"))
        """,
        permissions=ALL,
    )
    workshop.start().lifecycle.disable("clock")

    assert workshop.noted() == ["refused still usable"]


def test_a_plugin_cannot_set_its_own_store_against_its_schema(workshop: Workshop) -> None:
    workshop.write(
        "clock",
        """
        zone = writable("UTC")
        @hookimpl
        def corehost_stores():
            return StoresSpec(writable={"zone": zone}, schemas={"zone": {"type": "string"}})
        @hookimpl
        def corehost_setup(context):
            zone.set(5)
        """,
    )
    workshop.start()

    assert "The value of clock/zone is not valid" in workshop.error("clock")
