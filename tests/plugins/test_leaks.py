"""What a plugin leaves behind when it goes is found and charged to it."""

from __future__ import annotations

import io
import json
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from corehost.cli.building import build_manifest
from tests.plugins.workshop import HEADER, Workshop

KEPT: list[Any] = []
"""Holds on to parts of plugins, as a library that calls them back would."""
TIDY = """
LEVEL = writable(1)

@hookimpl
def corehost_stores():
    return StoresSpec(writable={"level": LEVEL})

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={"say": Method(handler=lambda input, context: "well")})

@hookimpl
def corehost_messages():
    return MessagesSpec(handlers={"tick": Handler(handle=lambda message: None)})

@hookimpl
def corehost_setup(context):
    context.every(60, lambda: None)
    context.spawn(lambda signal: signal.wait(30))
    context.core.messages.subscribe("other:*", lambda message: None)
"""
TIDY_ASKS = ("api:expose", "plugins:communicate")
HOLDING = """
import sys

def view(): return ""

@hookimpl
def corehost_setup(context):
    next(m for name, m in sys.modules.items() if name.endswith("test_leaks")).KEPT.append(view)
"""
THREAD = """
import threading
end = threading.Event()

def forever(): end.wait(30)

@hookimpl
def corehost_setup(context):
    threading.Thread(target=forever, name="stray", daemon=True).start()
"""
GRAB = """
import sys

def keep(thing):
    next(m for name, m in sys.modules.items() if name.endswith("test_leaks")).KEPT.append(thing)
"""
KINDS = {
    "a class": (GRAB + "class Thing: pass\n\n@hookimpl\ndef corehost_setup(context): keep(Thing())", "tested.Thing"),
    "a closure made at run time": (GRAB + "@hookimpl\ndef corehost_setup(context): keep(lambda: 1)", "tested.keep"),
    "a generator": (
        GRAB + "def count():\n    yield 1\n\n@hookimpl\ndef corehost_setup(context): keep(count())",
        "tested.count",
    ),
    "a handler's object": (
        GRAB
        + """
class Hearing:
    def hear(self, message): pass

hearing = Hearing()
keep(hearing.hear)

@hookimpl
def corehost_messages():
    return MessagesSpec(handlers={"tick": Handler(handle=hearing.hear)})
""",
        "handler tick",
    ),
    "a store": (
        GRAB
        + """
LEVEL = writable(1)
keep(LEVEL)

@hookimpl
def corehost_stores():
    return StoresSpec(writable={"level": LEVEL})
""",
        "store level",
    ),
    "a module": (
        "import sys, types\nsys.modules[__name__ + '.extra'] = types.ModuleType('extra')",
        "module corehost_plugins.tested.extra",
    ),
    "an open file": (
        GRAB + "LOG = [LOG.open('a')]\nkeep(LOG[0])",
        "log.txt' in corehost_plugins.tested.LOG[0]",
    ),
    "a descriptor of its own folder": (
        "import os\n\n@hookimpl\ndef corehost_setup(context): os.open(__file__, os.O_RDONLY)",
        "open file",
    ),
    "an open socket": (
        GRAB + "import socket\nLINE = socket.socket()\nkeep(LINE)",
        "open socket corehost_plugins.tested.LINE",
    ),
    "a timer of Python's": (
        """
import threading

@hookimpl
def corehost_setup(context):
    timer = threading.Timer(60, lambda: None)
    timer.daemon, timer.name = True, "later"
    timer.start()
""",
        "timer later",
    ),
}
ALL = ("api:expose", "plugins:communicate", "storage:read", "storage:write")


@pytest.fixture
def leaking(workshop: Workshop) -> Workshop:
    workshop.build(leak_seconds=0.3)
    return workshop


def let_go() -> None:
    for kept in KEPT:
        if isinstance(kept, io.IOBase | socket.socket):
            kept.close()
    KEPT.clear()


def left_by(workshop: Workshop, body: str) -> list[str]:
    """Load and unload a plugin beside one that leaks for certain; return what was told of it by then."""
    workshop.write("tested", body, permissions=ALL)
    workshop.write("witness", HOLDING)
    told: list[Any] = []
    seen = {"tested": threading.Event(), "witness": threading.Event()}

    def hear(message: Any) -> None:
        told.append(message.payload)
        seen[message.payload["id"]].set()

    plugins = workshop.start()
    workshop.bus.subscribe("core:plugin:leaked", hear)
    plugins.lifecycle.disable("tested")
    plugins.lifecycle.disable("witness")
    assert seen["witness"].wait(15)
    seen["tested"].wait(
        3
    )  # on a busy machine it may be looked at after the other; one that leaves nothing is never told of
    let_go()
    return [name for payload in told if payload["id"] == "tested" for name in payload["left"]]


def test_a_plugin_that_keeps_to_its_context_leaves_nothing(leaking: Workshop) -> None:
    assert left_by(leaking, TIDY) == []
    assert leaking.faults.summary("tested")["errors"] == {}


def test_code_that_something_holds_on_to_is_charged_by_name(leaking: Workshop) -> None:
    left = left_by(leaking, HOLDING)

    assert "corehost_plugins.tested.view" in left
    assert "corehost_plugins.tested.view" in leaking.faults.summary("tested")["last"]["error"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_leak_is_found_and_named(leaking: Workshop, kind: str) -> None:
    body, name = KINDS[kind]

    left = left_by(leaking, body)
    sys.modules.pop("corehost_plugins.tested.extra", None)

    assert any(name in one for one in left), left
    assert leaking.plugins.oversight.account("tested")["left"] == left
    assert leaking.faults.summary("tested")["errors"] == {"leak": 1}


def test_who_holds_on_to_it_is_named_when_asked_for(workshop: Workshop) -> None:
    workshop.build(leak_seconds=0.3, find_keepers=True)

    left = left_by(workshop, HOLDING.replace("append(view)", "append({'here': [view]})"))

    [found] = [one for one in left if one.startswith("corehost_plugins.tested.view")]
    assert "list ← ['here'] ← list ← " in found
    assert found.endswith("test_leaks.KEPT")


def test_a_thread_that_runs_on_is_charged_by_name(leaking: Workshop) -> None:
    left = left_by(leaking, THREAD)

    assert "thread stray" in left
    assert leaking.faults.summary("tested")["errors"] == {"leak": 1}


def test_a_reload_leaves_nothing_of_the_old_code(leaking: Workshop) -> None:
    leaking.write("tested", TIDY, permissions=ALL)
    leaking.write("witness", HOLDING)
    seen = threading.Event()
    plugins = leaking.start()
    leaking.bus.subscribe("core:plugin:leaked", lambda message: seen.set())

    plugins.lifecycle.reload("tested")
    plugins.lifecycle.disable("witness")

    assert seen.wait(15)
    KEPT.clear()
    assert leaking.faults.summary("tested")["errors"] == {}


def test_what_came_back_as_another_entry_is_not_taken_for_left_behind(workshop: Workshop) -> None:
    workshop.build(leak_seconds=0.3)
    workshop.write("tidy", TIDY, permissions=TIDY_ASKS)
    workshop.write("witness", HOLDING)
    plugins = workshop.start()
    looked = watch(workshop)

    plugins.lifecycle.unregister("tidy")
    plugins.lifecycle.rescan()

    assert workshop.status("tidy") == "enabled"
    assert looked() == []


def test_what_sleeps_again_is_not_taken_for_left_behind(workshop: Workshop) -> None:
    folder = workshop.folder / "tidy"
    folder.mkdir()
    (folder / "__init__.py").write_text(HEADER.format(log=str(workshop.log)) + TIDY)
    manifest = {"id": "tidy", "name": "Tidy", "version": "1.0.0", "description": "", "permissions": [*TIDY_ASKS]}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "activation": "on-demand"}))
    build_manifest(folder)
    workshop.write("witness", HOLDING)
    workshop.build(leak_seconds=0.3)
    plugins = workshop.start()
    assert workshop.call("tidy", "say") == "well"
    looked = watch(workshop)

    plugins.lifecycle.disable("tidy")
    plugins.lifecycle.enable("tidy")

    assert workshop.registry.get("tidy").is_dormant
    assert looked() == []


def test_what_is_gone_at_the_second_look_is_not_charged(workshop: Workshop) -> None:
    workshop.write("tidy", TIDY, permissions=TIDY_ASKS)
    workshop.write("witness", HOLDING)
    workshop.build(leak_seconds=0.3)
    plugins = workshop.start()
    going = [1]
    plugins.leaks.add_count("visits", lambda plugin_id: going.pop() if plugin_id == "tidy" and going else 0)
    looked = watch(workshop)

    plugins.lifecycle.disable("tidy")

    assert looked() == []
    assert going == []


def watch(workshop: Workshop) -> Callable[[], list[Any]]:
    """Return what tells what was found to be left behind, when also a plugin was looked at that leaks for certain."""
    found: list[Any] = []
    has_looked = threading.Event()

    def hear(message: Any) -> None:
        has_looked.set() if message.payload["id"] == "witness" else found.append(message.payload["left"])

    workshop.bus.subscribe("core:plugin:leaked", hear)

    def looked() -> list[Any]:
        workshop.plugins.lifecycle.disable("witness")
        assert has_looked.wait(15)
        let_go()
        return found

    return looked
