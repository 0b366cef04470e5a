"""Every way in which a plugin can fail leaves the host answering, and the plugin marked with the reason.

The bound in seconds is there to catch a hang, not to measure.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.serve.kit import Served, place, until

FLOOD = 1_000_000
HANG = 1.0
numbers = itertools.count()
FLAGS = ("--hook-deadline", "1", "--drain-deadline", "1", "--scan-interval", "0.1")
HEAD = """
import sys, threading, time
from corehost import ApiSpec, Manifest, Method, PluginContext, hookimpl

class Deadly(BaseException):
    pass

@hookimpl
def corehost_manifest() -> Manifest:
    return Manifest(id=__name__.rpartition(".")[2], name="Bad", version="1.2.3", description="Fails.",
                    permissions=("api:expose", "plugins:communicate", "routes:register"))
"""
BEGIN = ("corehost_before_load", "corehost_setup", "corehost_load", "corehost_enable")
DECLARE = ("corehost_api", "corehost_routes", "corehost_messages", "corehost_stores", "corehost_hookspecs")
END = ("corehost_disable", "corehost_unload", "corehost_teardown")


def hook(name: str, body: str) -> str:
    arguments = "context" if name == "corehost_setup" else ""
    return f"{HEAD}\n@hookimpl\ndef {name}({arguments}):\n    {body}\n"


LOADS: dict[str, tuple[str, str]] = {
    "syntax error": (f"{HEAD}\ndef broken(:\n", "SyntaxError"),
    "import error": (f"import no_such_module\n{HEAD}", "no_such_module"),
    "sys.exit on import": (f"import sys\nsys.exit(3)\n{HEAD}", "SystemExit"),
    "BaseException on import": (f"{HEAD}\nraise Deadly('boo')\n", "Deadly"),
    "hang on import": (f"{HEAD}\ntime.sleep(5)\n", "import"),
    "hang in setup": (hook("corehost_setup", "time.sleep(5)"), "corehost_setup"),
    "sys.exit in setup": (hook("corehost_setup", "sys.exit(3)"), "SystemExit"),
    "BaseException in setup": (hook("corehost_setup", "raise Deadly('boo')"), "Deadly"),
    **{
        f"raise in {name}": (hook(name, "raise RuntimeError('a fault of its own')"), "a fault of its own")
        for name in (*BEGIN, *DECLARE)
    },
    "raise in corehost_manifest": (
        "import corehost\n@corehost.hookimpl\ndef corehost_manifest(): raise RuntimeError('a fault of its own')",
        "a fault of its own",
    ),
}


class Watched:
    """A host whose ``/healthz`` is asked all the time; ``slowest`` is in seconds."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.slowest = 0.0
        self.failures: list[Any] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        self.served.kill()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            began = time.monotonic()
            try:
                status = self.served.get("/healthz").status
            except OSError as error:
                status = 0
                self.failures.append(error)
            self.slowest = max(self.slowest, time.monotonic() - began)
            if status != 200:
                self.failures.append(status)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("faults") / "data"
    place(folder, "bystander")
    host = Watched(Served(folder, *FLAGS).ready())
    yield host
    host.stop()


@contextmanager
def plugin(host: Served, code: str) -> Iterator[str]:
    """Drop the plugin into the folder of a host that serves, and take it away in the end; gives its id."""
    name = f"bad{next(numbers)}"  # one that was switched off would stay so
    file = host.folder / "plugins" / f"{name}.py"
    file.write_text(code, encoding="utf-8")
    try:
        yield name
    finally:
        file.unlink()
        until(lambda: host.status(name) is None, "the plugin gone")


def overflow(host: Served, bad: str) -> float:
    return float(host.get(f"/api/plugins/{bad}").json()["account"]["budgets"]["overflow"]["used"])


def require_undisturbed(watched: Watched) -> None:
    assert watched.failures == []
    assert watched.slowest < HANG
    assert watched.served.call("bystander", "echo", "a") == "a"
    assert watched.served.status("bystander") == "enabled"


def reason(host: Served, bad: str) -> str:
    return str(host.get(f"/api/plugins/{bad}").json().get("error"))


def account(host: Served, bad: str) -> str:
    return str(host.get(f"/api/plugins/{bad}").json()["account"])


@pytest.mark.parametrize(("code", "why"), LOADS.values(), ids=LOADS.keys())
def test_a_plugin_that_cannot_be_loaded_is_marked(watched: Watched, code: str, why: str) -> None:
    host = watched.served
    with plugin(host, code) as bad:
        until(lambda: host.status(bad) == "error", "the plugin marked")

        assert why in reason(host, bad)
    require_undisturbed(watched)


@pytest.mark.parametrize("name", END)
@pytest.mark.parametrize("body", ["raise RuntimeError('a fault of its own')", "sys.exit('a fault of its own')"])
def test_a_plugin_that_fails_while_it_goes_is_marked(watched: Watched, name: str, body: str) -> None:
    host = watched.served
    with plugin(host, hook(name, body)) as bad:
        until(lambda: host.status(bad) == "enabled", "the plugin enabled")
        host.switch(bad, "disabled")
        until(lambda: host.status(bad) == "error", "the plugin marked")

        assert "a fault of its own" in reason(host, bad)
    require_undisturbed(watched)


def test_a_raise_while_it_is_told_of_an_error_is_charged_beside_the_first_reason(watched: Watched) -> None:
    host = watched.served
    code = hook("corehost_setup", "raise RuntimeError('the first')")
    code += "\n@hookimpl\ndef corehost_error(error):\n    raise RuntimeError('the second')\n"
    with plugin(host, code) as bad:
        until(lambda: host.status(bad) == "error", "the plugin marked")

        assert "the first" in reason(host, bad)
        until(lambda: "the second" in account(host, bad), "the second charged")
    require_undisturbed(watched)


def test_a_thread_that_is_left_behind_is_told(watched: Watched) -> None:
    host = watched.served
    body = "threading.Thread(target=linger, name='left-behind', daemon=True).start()"
    code = hook("corehost_setup", body) + "\ndef linger(): time.sleep(20)\n"
    with plugin(host, code) as bad:
        until(lambda: host.status(bad) == "enabled", "the plugin enabled")
        assert host.switch(bad, "disabled").status == 200

        until(lambda: "left-behind" in account(host, bad), "the thread told")
    require_undisturbed(watched)


def test_a_flood_of_messages_is_told(watched: Watched) -> None:
    host = watched.served
    body = f"""bus = context.core.messages
    def slow(message): time.sleep(0.01)
    bus.subscribe('work:flood', slow)
    def pour():
        for number in range({FLOOD}): bus.send('work:flood', number)
    context.spawn(pour)"""
    with plugin(host, hook("corehost_setup", body)) as bad:
        until(lambda: host.status(bad) in ("enabled", "error"), "the plugin begun")

        until(lambda: overflow(host, bad) or host.status(bad) == "error", "the flood told")
    require_undisturbed(watched)
