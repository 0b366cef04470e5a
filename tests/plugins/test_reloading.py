"""A plugin's code changes while it runs: the new takes over if it holds, else the old goes on."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from corehost.contract.errors import DependencyError, DisabledError, InvalidError, PluginFaultError
from tests.plugins.workshop import ADMIN, Workshop, needs

BODY = """
LEVEL = writable({first})
SAID = {said!r}

@hookimpl
def corehost_stores():
    return StoresSpec(writable={{"level": LEVEL}}, schemas={{"level": {schema}}})

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={{"say": Method(handler=lambda input, context: SAID)}})

@hookimpl
def corehost_setup(context):
    note("setup " + SAID)
"""
kept: list[Any] = []
ALLOWED = ("api:expose", "storage:read", "storage:write")


def write(
    workshop: Workshop, said: str, *, first: Any = 1, schema: Any = None, more: str = "", **manifest: Any
) -> Path:
    body = BODY.format(said=said, first=repr(first), schema=repr(schema or {"type": "integer"})) + more
    return workshop.write("clock", body, permissions=ALLOWED, **manifest)


def level(workshop: Workshop) -> Any:
    return workshop.plugins.gateway.read_store("clock", "level", user=ADMIN)[0]


def test_a_reload_runs_the_new_code_and_keeps_what_the_stores_hold(workshop: Workshop) -> None:
    write(workshop, "old")
    plugins = workshop.start()
    plugins.gateway.write_store("clock", "level", 7, user=ADMIN)
    write(workshop, "new", first=2)

    plugins.lifecycle.reload("clock")

    assert workshop.call("clock", "say") == "new"
    assert level(workshop) == 7


def test_a_reload_keeps_what_a_plugin_alone_sets(workshop: Workshop) -> None:
    more = """
names = writable([])

@hookimpl
def corehost_stores():
    return StoresSpec(readable={"names": names}, schemas={"names": {"type": "array", "items": {"type": "string"}}})

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={"add": Method(handler=add)})

def add(name, context):
    names.set([*names.get(), name])
"""
    workshop.write("guests", more, permissions=ALLOWED)
    plugins = workshop.start()
    workshop.call("guests", "add", "Ada")
    workshop.write("guests", more + "# another\n", permissions=ALLOWED)

    plugins.lifecycle.reload("guests")
    workshop.call("guests", "add", "Grace")

    assert plugins.gateway.read_store("guests", "names", user=ADMIN)[0] == ["Ada", "Grace"]


def test_a_plugin_cannot_set_its_own_store_to_what_its_schema_refuses(workshop: Workshop) -> None:
    write(
        workshop,
        "old",
        more="""
@hookimpl
def corehost_stores():
    return StoresSpec(readable={"level": LEVEL}, schemas={"level": {"type": "integer"}})

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={"say": Method(handler=lambda value, context: LEVEL.set(value))})
""",
    )
    workshop.start()

    with pytest.raises(InvalidError, match="clock/level"):
        workshop.call("clock", "say", "high")
    assert level(workshop) == 1


def test_new_code_is_run_once(workshop: Workshop) -> None:
    write(workshop, "old")
    plugins = workshop.start()
    write(workshop, "new", more="\nnote('run')\n")

    plugins.lifecycle.reload("clock")

    assert workshop.noted() == ["setup old", "run", "setup new"]


def test_a_store_that_nobody_changed_takes_the_first_value_of_the_new_code(workshop: Workshop) -> None:
    write(workshop, "old", first=1)
    plugins = workshop.start()
    write(workshop, "new", first=2)

    plugins.lifecycle.reload("clock")

    assert level(workshop) == 2


def test_a_value_that_the_new_schema_refuses_is_dropped(workshop: Workshop) -> None:
    write(workshop, "old")
    plugins = workshop.start()
    plugins.gateway.write_store("clock", "level", 7, user=ADMIN)
    write(workshop, "new", first="low", schema={"type": "string"})

    plugins.lifecycle.reload("clock")

    assert level(workshop) == "low"
    assert workshop.faults.summary("clock")["errors"] == {}


def test_values_are_not_kept_beyond_the_reload(workshop: Workshop) -> None:
    write(workshop, "old")
    plugins = workshop.start()
    plugins.gateway.write_store("clock", "level", 7, user=ADMIN)
    plugins.lifecycle.reload("clock")

    plugins.lifecycle.disable("clock")
    plugins.lifecycle.enable("clock")

    assert level(workshop) == 1


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("\ndef half(:\n", "SyntaxError"),
        ("\nimport nowhere_at_all\n", "ModuleNotFoundError"),
        ("\n@hookimpl\ndef corehost_rotues(): ...\n", "corehost_routes"),
        ("\n@hookimpl\ndef corehost_routes(): return 3\n", "routes"),
        ("\nraise SystemExit(3)\n", "SystemExit"),
    ],
)
def test_code_that_does_not_hold_leaves_the_old_running(workshop: Workshop, broken: str, reason: str) -> None:
    write(workshop, "old")
    plugins = workshop.start()
    module = plugins.registry.get("clock").module
    told: list[Any] = []
    workshop.bus.subscribe("core:plugin:*", told.append)
    file = write(workshop, "new", more=broken)

    with pytest.raises(PluginFaultError, match=reason) as caught:
        plugins.lifecycle.reload("clock")
    workshop.bus.drain()

    assert workshop.call("clock", "say") == "old"
    assert sys.modules["corehost_plugins.clock"] is module
    assert workshop.noted() == ["setup old"]
    assert [message.type for message in told] == ["core:plugin:not-reloaded"]
    assert told[0].payload["error"] == caught.value.text
    if reason in ("SyntaxError", "ModuleNotFoundError"):
        line = next(n for n, text in enumerate(file.read_text().split("\n"), 1) if text in broken and text)
        assert f"({file}:{line})" in caught.value.text


def test_what_depends_on_the_plugin_follows_it_and_others_stay(workshop: Workshop) -> None:
    write(workshop, "old")
    setup = "@hookimpl\ndef corehost_setup(context): note('setup {}')\n"
    workshop.write("above", setup.format("above"), dependencies=needs("clock"))
    workshop.write("aside", setup.format("aside"))
    plugins = workshop.start()
    before = workshop.noted()
    write(workshop, "new")

    plugins.lifecycle.reload("clock")

    assert workshop.noted()[len(before) :] == ["setup new", "setup above"]
    assert workshop.status("above") == "enabled"


def test_a_version_that_does_not_suffice_for_its_dependants_is_refused_before_anything_goes(
    workshop: Workshop,
) -> None:
    write(workshop, "old")
    workshop.write("above", dependencies=needs("clock", "^1.0.0"))
    plugins = workshop.start()
    write(workshop, "new", version="2.0.0")

    with pytest.raises(DependencyError, match="above needs clock"):
        plugins.lifecycle.reload("clock")

    assert workshop.call("clock", "say") == "old"
    assert workshop.registry.get("clock").version == "1.0.0"


def test_a_plugin_that_failed_is_tried_again(workshop: Workshop) -> None:
    write(workshop, "old", more="\nraise RuntimeError('no')\n")
    plugins = workshop.start()
    assert workshop.status("clock") == "error"
    write(workshop, "new")

    plugins.lifecycle.reload("clock")

    assert workshop.call("clock", "say") == "new"


def test_a_disabled_plugin_is_not_reloaded(workshop: Workshop) -> None:
    write(workshop, "old", enabled=False)
    plugins = workshop.start()

    with pytest.raises(DisabledError, match="Enable it first"):
        plugins.lifecycle.reload("clock")


LATE = {
    "setup": "\n@hookimpl\ndef corehost_setup(context):\n    raise RuntimeError('no')\n",
    "load": "\n@hookimpl\ndef corehost_load():\n    raise RuntimeError('no')\n",
    "enable": "\n@hookimpl\ndef corehost_enable():\n    raise RuntimeError('no')\n",
}


@pytest.mark.parametrize("hook", [*LATE])
def test_new_code_that_fails_when_it_is_set_up_gives_way_to_the_old_with_its_values(
    workshop: Workshop, hook: str
) -> None:
    write(workshop, "old")
    plugins = workshop.start()
    plugins.gateway.write_store("clock", "level", 7, user=ADMIN)
    told: list[Any] = []
    workshop.bus.subscribe("core:plugin:*reloaded", told.append)
    file = write(workshop, "bad", more=LATE[hook])
    line = file.read_text().split("\n").index("    raise RuntimeError('no')") + 1

    with pytest.raises(PluginFaultError, match="is back as it was") as caught:
        plugins.lifecycle.reload("clock")
    workshop.bus.drain()

    assert f"corehost_{hook}" in caught.value.text
    assert f"RuntimeError: no ({file}:{line})" in caught.value.text
    assert (workshop.status("clock"), workshop.call("clock", "say"), level(workshop)) == ("enabled", "old", 7)
    assert [(message.type, message.payload["error"]) for message in told] == [
        ("core:plugin:not-reloaded", caught.value.text)
    ]
    write(workshop, "new")
    plugins.lifecycle.reload("clock")
    assert (workshop.call("clock", "say"), level(workshop)) == ("new", 7)


def test_a_setup_that_hangs_gives_way_to_the_old(workshop: Workshop) -> None:
    write(workshop, "old")
    plugins = workshop.start(hook_seconds=0.5)
    write(workshop, "bad", more="\nimport time\n@hookimpl\ndef corehost_setup(context): time.sleep(3)\n")

    with pytest.raises(PluginFaultError, match=r"is back as it was.*0\.5 s"):
        plugins.lifecycle.reload("clock")

    assert workshop.call("clock", "say") == "old"


def test_what_depends_on_a_plugin_comes_back_with_it(workshop: Workshop) -> None:
    write(workshop, "old")
    workshop.write("above", dependencies=needs("clock"))
    plugins = workshop.start()
    write(workshop, "bad", more=LATE["setup"])

    with pytest.raises(PluginFaultError, match="is back as it was"):
        plugins.lifecycle.reload("clock")

    assert [workshop.status(name) for name in ("clock", "above")] == ["enabled", "enabled"]


def test_the_old_comes_back_with_its_own_manifest(workshop: Workshop) -> None:
    package = workshop.folder / "clock"
    package.mkdir()
    manifest = {"id": "clock", "name": "Clock", "version": "1.0.0", "description": "", "permissions": [*ALLOWED]}
    (package / "manifest.json").write_text(json.dumps(manifest))
    code = "from corehost import *\ndef note(text): ...\n" + BODY.format(said="old", first=1, schema={})
    (package / "__init__.py").write_text(code)
    plugins = workshop.start()
    (package / "manifest.json").write_text(json.dumps({**manifest, "version": "2.0.0"}))
    (package / "__init__.py").write_text(code + LATE["setup"])

    with pytest.raises(PluginFaultError, match="is back as it was"):
        plugins.lifecycle.reload("clock")

    assert (workshop.registry.get("clock").version, workshop.call("clock", "say")) == ("1.0.0", "old")


def test_code_that_came_back_is_not_taken_for_left_behind_and_what_replaces_it_is_watched(
    workshop: Workshop,
) -> None:
    write(workshop, "old")
    plugins = workshop.start(leak_seconds=0.3)
    leaks: list[Any] = []
    workshop.bus.subscribe("core:plugin:leaked", lambda message: leaks.append(message.payload["left"]))
    write(workshop, "bad", more=LATE["setup"])
    with pytest.raises(PluginFaultError):
        plugins.lifecycle.reload("clock")
    threading.Event().wait(1.0)  # that long it would take to find it
    assert leaks == []

    kept.append(plugins.registry.get("clock").module)  # somebody holds on to the old code
    try:
        write(workshop, "new")
        plugins.lifecycle.reload("clock")
        until = time.monotonic() + 20
        while not leaks and time.monotonic() < until:
            threading.Event().wait(0.05)
    finally:
        kept.clear()

    assert "module corehost_plugins.clock" in leaks[0]


def test_a_failed_reload_of_a_plugin_that_had_failed_leaves_it_an_error(workshop: Workshop) -> None:
    write(workshop, "bad", more=LATE["setup"])
    plugins = workshop.start()

    with pytest.raises(PluginFaultError, match="no"):
        plugins.lifecycle.reload("clock")

    assert workshop.status("clock") == "error"


def test_all_modules_of_a_package_are_new_after_a_reload(workshop: Workshop) -> None:
    package = workshop.folder / "clock"
    package.mkdir()
    (package / "words.py").write_text("SAID = 'old'\n")
    code = BODY.format(said="", first=1, schema={}).replace("SAID = ''", "from .words import SAID")
    (package / "__init__.py").write_text(workshop.source("clock", code, permissions=ALLOWED))
    plugins = workshop.start()
    (package / "words.py").write_text("SAID = 'new'\n")

    plugins.lifecycle.reload("clock")

    assert workshop.call("clock", "say") == "new"
    assert sys.modules["corehost_plugins.clock.words"].SAID == "new"
    plugins.lifecycle.disable("clock")
    assert not [name for name in sys.modules if name.startswith("corehost_plugins.clock")]
