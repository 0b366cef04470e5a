"""`corehost serve --strict`: the first fault of a plugin ends the host, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from corehost.cli.exits import ExitCode
from tests.serve.conftest import Serving
from tests.serve.kit import WAIT, Served, until

BROKEN = "this is no Python\n"
MISFIT = """
from corehost import ApiSpec, Manifest, hookimpl

@hookimpl
def corehost_manifest():
    return Manifest(id="broken", name="Broken", version="1.0.0", description="Asks for too little.")

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0")
"""


def ended(served: Served) -> int:
    """Return the exit code of a host that ends by itself."""
    code = served.process.wait(WAIT)
    until(lambda: any(line.startswith("Strict: ") for line in served.log), "the reason in its log")
    return code


def children(served: Served) -> list[int]:
    return [child.pid for child in psutil.Process(served.process.pid).children(recursive=True)]


def test_a_handler_that_raises_ends_the_host_and_its_workers(serving: Serving, tmp_path: Path) -> None:
    host = serving("rogue", "bystander", flags=("--strict",))
    pids = children(host)

    host.request("POST", "/api/plugins/messages", {"type": "work:raise", "payload": 1})

    assert ended(host) == ExitCode.PLUGIN_FAULT
    [reason] = [line for line in host.log if line.startswith("Strict: ")][:1]
    assert "'rogue' 1.0.0 failed in its handler: RuntimeError: a fault of the plugin's own" in reason
    until(lambda: not any(map(psutil.pid_exists, pids)), "its processes gone")
    assert not (host.folder / "host.json").exists()
    again = Served(host.folder)  # the lock is free
    try:
        assert again.ready().status("rogue") == "enabled"
        assert again.request("POST", "/api/plugins/messages", {"type": "work:raise"}).status == 202
        assert again.get("/healthz").status == 200  # without the flag, one bad plugin harms only itself
    finally:
        again.kill()


@pytest.mark.parametrize("code", [BROKEN, MISFIT])
def test_a_plugin_that_cannot_be_loaded_ends_the_host(tmp_path: Path, code: str) -> None:
    folder = tmp_path / "data"
    (folder / "plugins").mkdir(parents=True)
    (folder / "plugins" / "broken.py").write_text(code, encoding="utf-8")
    host = Served(folder, "--strict")
    try:
        assert ended(host) == ExitCode.PLUGIN_FAULT
        assert any("broken" in line for line in host.log if line.startswith("Strict: "))
    finally:
        host.kill()


def test_a_host_whose_plugins_are_well_goes_on_and_ends_as_usual(serving: Serving) -> None:
    host = serving("clock", flags=("--strict",))

    assert host.call("clock", "now")["zone"] == "UTC"
    assert host.stop() == ExitCode.OK
