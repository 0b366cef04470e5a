"""A plugin that is loaded on demand is there without its code, and wakes when somebody needs it."""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from corehost.contract.errors import DisabledError, ManifestError, PluginFaultError
from corehost.plugins.contributions import contributions_of
from tests.plugins.workshop import ADMIN, HEADER, Workshop, needs
from tests.serve.kit import until

BODY = """
note("imported {id}")
zone = writable("UTC")

@hookimpl
def corehost_api():
    now = Method(handler=lambda input, context: "noon", description="The time.")
    return ApiSpec(version="1.0.0", methods={{"now": now}})

@hookimpl
def corehost_messages():
    def heard(message):
        note(f"heard {{message.payload}}")
        return {{"heard": message.payload}}
    return MessagesSpec(handlers={{"tick": Handler(handle=heard, filter=lambda m: m.payload != "skip")}},
                        schemas={{"tick": MessageSchema(type="{id}:tick", payload={{}})}})

@hookimpl
def corehost_stores():
    return StoresSpec(writable={{"zone": zone}}, schemas={{"zone": {{"type": "string"}}}})

@hookimpl
def corehost_setup(context):
    note("set up {id}")
    {setup}
"""
SET_UP = """
@hookimpl
def corehost_setup(context):
    note("set up eager")
"""
PERMISSIONS = ("api:expose", "plugins:communicate")


def lay(workshop: Workshop, plugin_id: str = "lazy", setup: str = "pass", **values: Any) -> None:
    """Write a package that is loaded on demand, its manifest built from its code."""
    folder = workshop.folder / plugin_id.replace("-", "_")
    folder.mkdir(exist_ok=True)
    manifest = {"id": plugin_id, "name": plugin_id, "version": "1.0.0", "description": "", **values}
    manifest = {"permissions": list(PERMISSIONS), **manifest}
    body = BODY.format(id=plugin_id, setup="pass")
    (folder / "__init__.py").write_text(HEADER.format(log=str(workshop.log)) + body)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    workshop.start()
    plugin = workshop.registry.get(plugin_id)
    assert plugin.is_enabled, plugin.error
    built = {**manifest, "activation": "on-demand", "contributes": contributions_of(plugin)}
    workshop.stop()
    workshop.log.unlink(missing_ok=True)
    (folder / "manifest.json").write_text(json.dumps(built))
    body = BODY.format(id=plugin_id, setup=setup)
    (folder / "__init__.py").write_text(HEADER.format(log=str(workshop.log)) + body)
    workshop.build()


def test_it_is_listed_and_documented_without_being_imported(workshop: Workshop) -> None:
    lay(workshop)
    workshop.start()

    plugin = workshop.registry.get("lazy")
    assert (plugin.status, plugin.is_dormant, workshop.noted()) == ("enabled", True, [])
    assert "corehost_plugins.lazy" not in sys.modules
    assert plugin.api is not None
    assert plugin.api.methods["now"].description == "The time."
    assert "lazy:tick" in workshop.bus.schemas()


def test_its_first_call_loads_it_once_however_many_come(workshop: Workshop) -> None:
    lay(workshop)
    workshop.start()

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: workshop.call("lazy", "now"), range(20)))

    assert answers == ["noon"] * 20
    assert workshop.noted() == ["imported lazy", "set up lazy"]
    assert not workshop.registry.get("lazy").is_dormant


def test_reading_a_store_loads_it(workshop: Workshop) -> None:
    lay(workshop)
    workshop.start()

    assert workshop.plugins.gateway.read_store("lazy", "zone", user=ADMIN)[0] == "UTC"


def test_a_message_loads_it_and_none_is_lost_or_out_of_order(workshop: Workshop) -> None:
    lay(workshop)
    workshop.start()

    for number in range(200):
        workshop.bus.send("lazy:tick", number)
    until(lambda: len(workshop.noted()) >= 202, "all messages to be handled")
    assert workshop.noted()[2:] == [f"heard {number}" for number in range(200)]


def test_its_filter_holds_for_the_message_that_wakes_it_too(workshop: Workshop) -> None:
    lay(workshop)
    workshop.start()
    done = threading.Event()

    workshop.bus.send("lazy:tick", "skip")
    workshop.messaging.lanes.submit("lazy", done.set)

    assert done.wait(30)
    assert workshop.noted() == ["imported lazy", "set up lazy"]


def test_what_it_needs_is_woken_first(workshop: Workshop) -> None:
    lay(workshop, "base")
    lay(workshop, "lazy", dependencies=[{"pluginId": "base", "version": "*"}])
    workshop.start()
    assert workshop.noted() == []

    workshop.call("lazy", "now")

    assert workshop.noted() == ["imported base", "set up base", "imported lazy", "set up lazy"]


def test_what_needs_it_and_is_not_on_demand_loads_it_at_start(workshop: Workshop) -> None:
    lay(workshop)
    workshop.write("eager", SET_UP, dependencies=needs("lazy"))
    workshop.start()

    assert workshop.noted() == ["imported lazy", "set up lazy", "set up eager"]
    assert workshop.status("eager") == "enabled"


def test_one_that_fails_when_it_is_needed_is_an_error_with_the_reason(workshop: Workshop) -> None:
    lay(workshop, setup='raise ValueError("no luck")')
    workshop.start()

    with pytest.raises(PluginFaultError, match="no luck"):
        workshop.call("lazy", "now")
    assert workshop.status("lazy") == "error"
    assert "no luck" in workshop.error("lazy")
    with pytest.raises(DisabledError):
        workshop.call("lazy", "now")
    assert workshop.messaging.lanes.lane("lazy") is None


def test_one_whose_manifest_tells_something_else_says_to_build_it(workshop: Workshop) -> None:
    lay(workshop)
    file = workshop.folder / "lazy" / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["contributes"]["methods"]["gone"] = manifest["contributes"]["methods"].pop("now")
    file.write_text(json.dumps(manifest))
    workshop.start()

    with pytest.raises(ManifestError, match="corehost plugin build"):
        workshop.call("lazy", "gone")


def test_one_that_sleeps_can_be_disabled_enabled_and_reloaded(workshop: Workshop) -> None:
    lay(workshop)
    workshop.start()
    lifecycle = workshop.plugins.lifecycle

    lifecycle.disable("lazy")
    assert workshop.status("lazy") == "disabled"
    assert workshop.messaging.lanes.lane("lazy") is None
    with pytest.raises(DisabledError):
        workshop.call("lazy", "now")
    lifecycle.enable("lazy")
    assert workshop.registry.get("lazy").is_dormant
    lifecycle.reload("lazy")
    assert workshop.registry.get("lazy").is_dormant
    assert workshop.call("lazy", "now") == "noon"


def test_one_that_was_woken_stays_awake_over_a_reload_and_keeps_its_stores(workshop: Workshop) -> None:
    lay(workshop)
    workshop.start()
    workshop.plugins.gateway.write_store("lazy", "zone", "CET", user=ADMIN)

    workshop.plugins.lifecycle.reload("lazy")

    assert not workshop.registry.get("lazy").is_dormant
    assert workshop.plugins.gateway.read_store("lazy", "zone", user=ADMIN)[0] == "CET"


def test_a_life_cycle_hook_of_another_cannot_wait_for_it(workshop: Workshop) -> None:
    lay(workshop)
    workshop.write(
        "zealous",
        """
        @hookimpl
        def corehost_setup(context):
            context.core.plugins.call("lazy", "now")
        """,
        permissions=("plugins:communicate",),
    )
    workshop.start()

    assert workshop.status("zealous") == "error"
    assert "hook" in workshop.error("zealous")
    assert workshop.call("lazy", "now") == "noon"


def test_another_plugin_sees_whether_it_is_loaded(workshop: Workshop) -> None:
    lay(workshop)
    workshop.write(
        "onlooker",
        """
        seen = {}

        @hookimpl
        def corehost_api():
            look = Method(handler=lambda input, context: seen["lazy"].is_loaded)
            return ApiSpec(version="1.0.0", methods={"look": look})

        @hookimpl
        def corehost_setup(context):
            seen["lazy"] = context.core.plugins.get("lazy")
        """,
        permissions=PERMISSIONS,
    )
    workshop.start()

    assert workshop.call("onlooker", "look") is False
    workshop.call("lazy", "now")
    assert workshop.call("onlooker", "look") is True


def test_it_answers_the_request_that_wakes_it(workshop: Workshop) -> None:
    lay(workshop)
    workshop.start()

    assert workshop.bus.request("lazy:tick", "you") == {"heard": "you"}
