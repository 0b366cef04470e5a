"""What the operator grants and takes away holds from that moment on, and over restarts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from corehost.contract.errors import (
    ConsentNeededError,
    InvalidError,
    NotFoundError,
    PermissionDeniedError,
    PluginFaultError,
)
from corehost.contract.manifest import Manifest
from corehost.contract.meanings import meaning_of
from corehost.contract.permissions import STANDARD
from corehost.plugins.grants import Grants
from corehost.plugins.registry import Plugin
from corehost.plugins.sources import Origin
from corehost.state.database import HostDatabase
from tests.plugins.workshop import Workshop

ALL = ("storage:read", "storage:write", "plugins:communicate", "api:expose", "network:fetch", "user:read")
BODY = """
held = []

@hookimpl
def corehost_setup(context):
    held.append(context)
    context.core.events.on("grants:changed", lambda change: note(f"told {{change['id']}} {{change['taken']}}"))
    {more}

def keep(input, context):
    held[0].storage.set("a", 1)
    return held[0].storage.get("a")

def between(input, context):
    with held[0].storage.transaction() as entries:
        entries.set("a", 2)
        held[0].core.plugins.call("other", "take", {{}})
        entries.set("a", 3)

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={{"keep": Method(handler=keep), "between": Method(handler=between)}})
"""


def elsewhere(tmp_path: Path) -> Origin:
    folder = tmp_path / "far"
    folder.mkdir(exist_ok=True)
    return Origin(kind="external", name="far", path=folder, url="https://plugins.example/far")


def manifest(*permissions: str, plugin_id: str = "far") -> Manifest:
    return Manifest(id=plugin_id, name="Far", version="1.0.0", description="", permissions=permissions)


def clock(workshop: Workshop, more: str = "", **options: Any) -> Callable[..., Any]:
    workshop.write("clock", BODY.format(more=more), permissions=ALL, **options)
    workshop.start()
    return lambda name="keep": workshop.call("clock", name)


def test_what_the_operator_put_there_is_granted_what_it_asks_for(workshop: Workshop) -> None:
    clock(workshop)

    assert set(workshop.registry.get("clock").granted) == set(ALL)
    assert all(grant.granted and grant.by is None for grant in workshop.plugins.grants.describe("clock"))


def test_what_is_taken_away_is_refused_at_once_and_the_plugin_is_told(workshop: Workshop) -> None:
    keep = clock(workshop)
    assert keep() == 1
    generation = workshop.registry.get("clock").generation

    workshop.plugins.grants.decide("clock", {"storage:write": False}, by="user:ann")

    with pytest.raises(PermissionDeniedError, match="corehost plugin grant clock storage:write"):
        keep()
    workshop.bus.drain()
    assert "told clock ['storage:write']" in workshop.noted()
    assert workshop.registry.get("clock").generation == generation  # it goes on


def test_what_is_granted_again_is_there_at_once(workshop: Workshop) -> None:
    keep = clock(workshop)
    workshop.plugins.grant("clock", {"storage:write": False}, by="user:ann").result(20)

    workshop.plugins.grant("clock", {"storage:write": True}, by="user:ann").result(20)

    assert keep() == 1


def test_a_transaction_under_way_is_held_to_it_too(workshop: Workshop) -> None:
    between = clock(workshop)
    take = "    held[0]()\n    return None\n"
    body = f"held = []\n\ndef take(input, context):\n{take}\n"
    body += (
        "@hookimpl\ndef corehost_api():\n    return ApiSpec(version='1.0.0', methods={'take': Method(handler=take)})\n"
    )
    workshop.write("other", body, permissions=("api:expose",))
    workshop.plugins.lifecycle.rescan(20)
    module = workshop.registry.get("other").module
    assert module is not None
    module.held.append(lambda: workshop.plugins.grants.decide("clock", {"storage:write": False}, by="user:ann"))

    with pytest.raises(PermissionDeniedError):
        between("between")


def test_a_decision_outlives_the_host(workshop: Workshop) -> None:
    clock(workshop)
    workshop.plugins.grant("clock", {"storage:write": False}, by="user:ann").result(20)

    workshop.restart()

    assert set(workshop.registry.get("clock").granted) == {*ALL} - {"storage:write"}
    (grant,) = [g for g in workshop.plugins.grants.describe("clock") if g.permission == "storage:write"]
    assert (grant.granted, grant.by) == (False, "user:ann")


def test_a_plugin_that_cannot_stand_without_is_taken_down_and_says_why(workshop: Workshop) -> None:
    clock(workshop)

    workshop.plugins.grant("clock", {"api:expose": False}, by="user:ann").result(20)

    assert workshop.status("clock") == "error"
    assert "corehost plugin grant clock api:expose" in workshop.error("clock")

    workshop.plugins.grant("clock", {"api:expose": True}, by="user:ann").result(20)
    assert workshop.status("clock") == "enabled"


def test_what_it_had_subscribed_ends_with_the_grant(workshop: Workshop) -> None:
    clock(
        workshop,
        more="""try:
        context.core.messages.subscribe("test:*", lambda message: note(message.type))
    except PermissionDeniedError:
        note("not allowed to hear")""",
    )
    workshop.bus.send("test:before")
    workshop.bus.drain()

    workshop.plugins.grant("clock", {"plugins:communicate": False}, by="user:ann").result(20)
    workshop.bus.send("test:after")
    workshop.bus.drain()

    assert workshop.status("clock") == "enabled"
    assert "test:before" in workshop.noted()
    assert "not allowed to hear" in workshop.noted()
    assert "test:after" not in workshop.noted()


def test_only_what_a_plugin_asks_for_can_be_decided_on(workshop: Workshop) -> None:
    clock(workshop)
    grants = workshop.plugins.grants

    with pytest.raises(InvalidError, match="does not ask for 'user:write'"):
        grants.decide("clock", {"user:write": True}, by="user:ann")
    with pytest.raises(NotFoundError):
        grants.decide("nobody", {"user:write": True}, by="user:ann")
    assert set(workshop.registry.get("clock").granted) == set(ALL)


def test_every_decision_is_in_the_audit_log(workshop: Workshop) -> None:
    clock(workshop)
    workshop.plugins.grants.decide("clock", {"storage:write": False, "storage:read": True}, by="user:ann")

    entries = [(e.action, e.actor, e.subject, e.detail["permission"]) for e in workshop.database.audit.read()]

    assert entries == [
        ("grant:give", "user:ann", "clock", "storage:read"),
        ("grant:revoke", "user:ann", "clock", "storage:write"),
    ]


class Office:
    """Grants without a running host."""

    def __init__(self, folder: Path) -> None:
        self.database = HostDatabase(folder / "data")
        self.plugin = Plugin("far", elsewhere(folder), manifest("storage:read", "network:fetch"))
        from corehost.plugins.registry import Registry  # noqa: PLC0415  # beside its only use

        self.registry = Registry()
        self.registry.add(self.plugin)
        self.grants = Grants(self.registry, self.database.grants, self.database.audit)


@pytest.fixture
def office(tmp_path: Path) -> Any:
    made = Office(tmp_path)
    yield made
    made.database.close()


def test_what_comes_from_elsewhere_waits_until_all_was_decided_on(office: Office) -> None:
    grants, plugin = office.grants, office.plugin
    assert plugin.manifest is not None
    with pytest.raises(ConsentNeededError) as refusal:
        grants.require_consent(plugin, plugin.manifest)
    assert refusal.value.permissions == ("storage:read", "network:fetch")
    assert set(grants.granted(plugin.origin, plugin.manifest)) == set()

    grants.decide("far", {"storage:read": True}, by="user:ann")
    assert grants.undecided(plugin.origin, plugin.manifest) == ("network:fetch",)
    grants.decide("far", {"network:fetch": False}, by="user:ann")

    grants.require_consent(plugin, plugin.manifest)
    assert set(grants.granted(plugin.origin, plugin.manifest)) == {"storage:read"}


def test_an_upgrade_that_asks_for_more_waits(office: Office) -> None:
    grants, plugin = office.grants, office.plugin
    grants.decide("far", {"storage:read": True, "network:fetch": True}, by="user:ann")
    more = manifest("storage:read", "network:fetch", "user:read")

    with pytest.raises(ConsentNeededError, match="it asks for user:read"):
        grants.require_consent(plugin, more)
    with pytest.raises(ConsentNeededError):
        grants.require_upgrade(more, plugin, from_elsewhere=True)
    assert grants.awaited("far") == ("user:read",)
    assert [grant.permission for grant in grants.describe("far")] == ["storage:read", "network:fetch", "user:read"]

    grants.decide("far", {"user:read": True}, by="user:ann")
    grants.require_consent(plugin, more)
    grants.require_upgrade(more, plugin, from_elsewhere=True)
    assert grants.awaited("far") == ()


def test_what_the_operator_brings_needs_consent_only_when_it_asks_for_more_than_before(office: Office) -> None:
    office.grants.require_upgrade(manifest("user:read", plugin_id="near"), None, from_elsewhere=False)
    with pytest.raises(ConsentNeededError):
        office.grants.require_upgrade(manifest("user:read", plugin_id="near"), None, from_elsewhere=True)
    near = Plugin("near", Origin(kind="installed", name="near"), manifest("user:read", plugin_id="near"))
    office.grants.require_upgrade(manifest("user:read", plugin_id="near"), near, from_elsewhere=False)
    with pytest.raises(ConsentNeededError, match="user:write"):
        office.grants.require_upgrade(manifest("user:read", "user:write", plugin_id="near"), near, from_elsewhere=False)


def test_a_plan_says_in_words_what_is_asked_for_and_what_awaits_that_somebody_agrees(
    workshop: Workshop, tmp_path: Path
) -> None:
    workshop.write("near", permissions=("storage:read",), enabled=False)
    plugins = workshop.start()
    far = Plugin("far", elsewhere(tmp_path), manifest("storage:read", "network:fetch"))
    plugins.lifecycle.submit_listed(far).result(30)
    plugins.grants.decide("far", {"storage:read": True}, by="user:ann")
    plugins.lifecycle.enable("near")
    plugins.lifecycle.disable("near")

    waiting, trusted = (plugins.lifecycle.plan(name, "enabled") for name in ("far", "near"))

    assert [(one.permission, one.awaits) for one in waiting.requests] == [
        ("storage:read", False),
        ("network:fetch", True),
    ]
    assert waiting.requests[1].meaning == "Send requests to other servers, and with them whatever it knows."
    assert "waits for consent: it asks for network:fetch" in waiting.obstacles[0]
    assert [(one.plugin, one.awaits) for one in trusted.requests] == [("near", False)]
    assert trusted.obstacles == ()


def test_a_later_plugin_of_the_same_id_inherits_nothing(office: Office) -> None:
    office.grants.decide("far", {"storage:read": True, "network:fetch": True}, by="user:ann")

    office.grants.forget("far")

    assert office.plugin.manifest is not None
    assert office.grants.undecided(office.plugin.origin, office.plugin.manifest) == ("storage:read", "network:fetch")


def test_every_permission_is_told_in_words() -> None:
    for permission in STANDARD:
        assert ":" not in meaning_of(permission).split(".")[0].partition(":")[0]
        assert "documentation" not in meaning_of(permission)
    assert "'clock'" in meaning_of("plugin:clock:manage")
    assert "every plugin" in meaning_of("plugin:*:use")
    assert "'weather'" in meaning_of("weather:alarm")


def test_the_fault_of_a_plugin_names_what_was_taken(workshop: Workshop) -> None:
    clock(workshop, more='context.core.messages.subscribe("test:*", print)')

    workshop.plugins.grant("clock", {"plugins:communicate": False}, by="user:ann").result(20)

    assert workshop.status("clock") == "error"
    assert "plugins:communicate" in workshop.error("clock")
    with pytest.raises(PluginFaultError):
        workshop.plugins.lifecycle.enable("clock")
