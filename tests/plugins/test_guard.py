"""What belongs to the whole process is put back when a plugin changes it, and the plugin is charged."""

from __future__ import annotations

import builtins
import gc
import os
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.messaging.witness import eventually
from tests.plugins.workshop import Workshop

AT_IMPORT = "import builtins, sys, os, gc, socket, threading\n"
CHANGES: dict[str, tuple[str, Callable[[], Any]]] = {
    "builtins.print": ("builtins.print = lambda *_: None", lambda: builtins.print),
    "builtins.open": ("builtins.open = None", lambda: builtins.open),
    "builtins.shout": ("builtins.shout = 5", lambda: getattr(builtins, "shout", None)),
    "builtins.len": ("del builtins.len", lambda: builtins.len),
    "sys.excepthook": ("sys.excepthook = lambda *_: None", lambda: sys.excepthook),
    "threading.excepthook": ("threading.excepthook = lambda *_: None", lambda: threading.excepthook),
    "sys.setswitchinterval": ("sys.setswitchinterval(0.5)", sys.getswitchinterval),
    "sys.setrecursionlimit": ("sys.setrecursionlimit(5_000)", sys.getrecursionlimit),
    "socket.setdefaulttimeout": ("socket.setdefaulttimeout(3)", socket.getdefaulttimeout),
    "gc.disable": ("gc.disable()", gc.isenabled),
    "os.chdir": ("os.chdir('/')", Path.cwd),
}
RUNTIME = """
import builtins

def change(input, context):
    builtins.ascii = lambda *_: None
    builtins.oct = None

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={"change": Method(handler=change)})
"""


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_made_while_a_plugin_loads_is_put_back_and_charged(workshop: Workshop, name: str) -> None:
    change, read = CHANGES[name]
    before = read()
    workshop.write("rude", AT_IMPORT + f"@hookimpl\ndef corehost_setup(context): {change}")
    workshop.write("tidy")

    workshop.start()

    assert read() is before or read() == before
    account = workshop.faults.summary("rude")
    assert account["errors"] == {"guard": 1}
    assert f"changed {name}, which belongs to the whole process. It was put back." in account["last"]["error"]
    assert workshop.faults.summary("tidy")["errors"] == {}


def test_a_change_made_later_is_put_back_within_seconds_and_charged_to_who_wrote_it(workshop: Workshop) -> None:
    kept = builtins.ascii, builtins.oct
    workshop.write("rude", RUNTIME, permissions=("api:expose",))
    workshop.start()

    workshop.call("rude", "change")
    eventually(lambda: (builtins.ascii, builtins.oct) == kept)
    eventually(lambda: workshop.faults.summary("rude")["errors"] == {"guard": 1})  # nobody knows who took "oct"

    assert "builtins.ascii" in workshop.faults.summary("rude")["last"]["error"]


def test_a_variable_of_the_environment_is_left_as_it_was_set(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORE_TEST", "before")
    workshop.write("setting", "import os\nos.environ['CORE_TEST'] = 'after'")

    workshop.start()

    assert os.environ["CORE_TEST"] == "after"
    assert workshop.faults.summary("setting")["errors"] == {}


def test_a_host_that_has_stopped_looks_no_more(workshop: Workshop) -> None:
    workshop.write("tidy")
    workshop.start()
    workshop.stop()
    before = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(before + 7)
        pause = threading.Event()
        pause.wait(1.5)
        assert sys.getrecursionlimit() == before + 7
    finally:
        sys.setrecursionlimit(before)
