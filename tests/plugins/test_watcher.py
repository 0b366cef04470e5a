"""Plugins that are saved while the host watches their files."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from corehost.contract.errors import DisabledError
from tests.plugins.workshop import Workshop

SAYS = """
@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={{"say": Method(handler=lambda input, context: {said!r})}})
"""


def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(1500):
        if condition():
            return
        threading.Event().wait(0.01)
    assert condition()


def says(workshop: Workshop) -> str | None:
    """Return what the plugin says, ``None`` for the moment in which it changes over."""
    try:
        return str(workshop.call("clock", "say"))
    except DisabledError:
        return None


def write(workshop: Workshop, said: str, **manifest: bool) -> Path:
    return workshop.write("clock", SAYS.format(said=said), permissions=("api:expose",), **manifest)


@pytest.fixture
def watched(workshop: Workshop) -> Workshop:
    write(workshop, "old")
    workshop.start(reload=True)
    return workshop


def test_a_saved_file_is_what_runs(watched: Workshop) -> None:
    write(watched, "new")

    eventually(lambda: says(watched) == "new")


def test_a_broken_file_leaves_the_old_running_until_it_is_mended(watched: Workshop) -> None:
    told = threading.Event()
    watched.bus.subscribe("core:plugin:not-reloaded", lambda _: told.set())
    (watched.folder / "clock.py").write_text("def half(:\n")
    assert told.wait(15)
    assert watched.call("clock", "say") == "old"

    write(watched, "mended")

    eventually(lambda: says(watched) == "mended")


def test_what_a_plugin_writes_beside_its_code_reloads_nothing(workshop: Workshop) -> None:
    package = workshop.folder / "clock"
    (package / "static").mkdir(parents=True)
    (package / "__init__.py").write_text(workshop.source("clock"))
    workshop.write("other")
    plugins = workshop.start(reload=True)
    reloaded = {name: threading.Event() for name in ("clock", "other")}
    workshop.bus.subscribe("core:plugin:reloaded", lambda message: reloaded[message.payload["id"]].set())
    clock = plugins.registry.get("clock")

    (package / "cache.db").write_text("x")
    (package / "notes.txt").write_text("x")
    workshop.write("other")

    assert reloaded["other"].wait(15)
    plugins.lifecycle.reload("other")  # behind whatever the same notice has asked for
    assert clock.generation == 1
    (package / "static" / "page.css").write_text("p {}")
    assert reloaded["clock"].wait(15)


def test_a_disabled_plugin_stays_off_when_it_is_saved(workshop: Workshop) -> None:
    write(workshop, "old", enabled=False)
    workshop.write("other")
    workshop.start(reload=True)
    reloaded = threading.Event()
    workshop.bus.subscribe("core:plugin:reloaded", lambda _: reloaded.set())

    write(workshop, "new", enabled=False)
    workshop.write("other")

    assert reloaded.wait(15)
    assert workshop.status("clock") == "disabled"
