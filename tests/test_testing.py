"""The fixtures for plugin authors: a real host in memory with chosen plugins, and the messages it saw."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from corehost import DisabledError, InvalidError
from corehost.testing import HostFactory, Messages

PLUGINS = Path(__file__).parent / "serve" / "plugins"


def test_a_host_has_the_chosen_plugins_and_no_others(corehost_host: HostFactory) -> None:
    host = corehost_host(PLUGINS / "clock.py", "core-ui")

    enabled = [plugin.id for plugin in host.host.registry.enabled()]

    assert sorted(enabled) == ["clock", "core-ui"]
    assert host.status("dashboard") == "disabled"


def test_methods_pages_and_stores_are_reached_as_the_administrator(corehost_host: HostFactory) -> None:
    host = corehost_host(PLUGINS / "clock.py")

    assert host.call("clock", "now", {})["zone"] == "UTC"
    assert host.get("/clock").status_code == 200
    assert host.post("/api/plugins/clock/now", json={}).get_json()["result"]["zone"] == "UTC"
    assert host.get("/api/plugins/manifest", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert host.store("clock", "zone") == "UTC"
    with pytest.raises(InvalidError):
        host.call("clock", "now", 3)


def test_plugins_can_be_switched(corehost_host: HostFactory) -> None:
    host = corehost_host(PLUGINS / "clock.py", "core-ui", "dashboard")

    host.disable("clock")
    host.disable("core-ui", cascade=True)

    with pytest.raises(DisabledError):
        host.call("clock", "now", {})
    assert host.status("dashboard") == "disabled"
    host.enable("clock")
    assert host.call("clock", "now", {})["zone"] == "UTC"


def test_a_plugin_may_be_named_by_its_module(corehost_host: HostFactory) -> None:
    spec = importlib.util.spec_from_file_location("clock", PLUGINS / "clock.py")
    assert spec is not None

    host = corehost_host(importlib.util.module_from_spec(spec))

    assert host.status("clock") == "enabled"


def test_messages_are_seen_from_the_first_on_and_waited_for_one_by_one(
    corehost_host: HostFactory, messages: Messages
) -> None:
    host = corehost_host(PLUGINS / "clock.py")

    assert messages.wait_for("core:plugin:enabled").payload["id"] == "clock"
    first, second = messages.wait_for("clock:tick"), messages.wait_for("clock:tick")
    assert second.seq > first.seq
    host.bus.send("work:done", 1)
    assert messages.of("work:*")[-1].payload == 1
    assert messages[len(messages) - 1] in list(messages)


def test_waiting_in_vain_names_what_was_seen_instead(corehost_host: HostFactory, messages: Messages) -> None:
    host = corehost_host()
    host.bus.send("work:other")

    with pytest.raises(AssertionError, match=r"No message 'work:wanted'.*work:other"):
        messages.wait_for("work:wanted", timeout=0.05)


def test_two_hosts_of_one_test_are_two_worlds(corehost_host: HostFactory, messages: Messages) -> None:
    one, two = corehost_host(), corehost_host(PLUGINS / "bystander.py")

    one.bus.send("work:one")
    two.bus.send("work:two")
    two.bus.drain()

    assert [message.type for message in messages.of("work:*")] == ["work:one", "work:two"]
    assert two.call("bystander", "count") == 1


def test_a_plugin_that_does_not_load_fails_the_test_with_its_reason(corehost_host: HostFactory, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n", encoding="utf-8")

    with pytest.raises(AssertionError, match=r"broken is error: .*division by zero"):
        corehost_host(tmp_path / "broken.py")
    unchecked = corehost_host(tmp_path / "broken.py", check=False)
    assert unchecked.status("broken") == "error"


def test_what_is_no_plugin_is_named(corehost_host: HostFactory) -> None:
    with pytest.raises(AssertionError, match="'nothing' is no built-in plugin"):
        corehost_host("nothing")


def test_a_fault_that_nobody_asks_for_fails_the_test(corehost_host: HostFactory) -> None:
    host = corehost_host(PLUGINS / "rogue.py")
    host.require_well()
    host.bus.send("work:raise")
    host.bus.drain()

    with pytest.raises(AssertionError, match=r"rogue, in its handler: .*a fault of the plugin's own"):
        host.require_well()
    assert host.faults("rogue") == {"handler": 1}
    host.require_well()


def test_settings_are_taken_as_they_are_named(corehost_host: HostFactory) -> None:
    assert corehost_host(safe_mode=True, threads=4).host.settings.threads == 4


def test_the_fixtures_cost_a_project_that_does_not_use_them_nothing() -> None:
    heavy = "{'flask', 'sqlalchemy', 'gunicorn', 'websockets', 'click'}"
    code = f"import sys, corehost.testing; print(sorted({heavy} & sys.modules.keys()))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
