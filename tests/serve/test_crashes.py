"""A plugin that takes the process down stays off; the host and all others are back at once.

The bound in seconds is the promise of a machine of one's own, here with room for a busy one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http.client import HTTPException

import pytest

from tests.serve.conftest import Serving
from tests.serve.kit import Served, until

BACK = 20.0


def ask(host: Served, method: str, path: str, value: object = None) -> None:
    try:
        host.request(method, path, value)
    except (OSError, HTTPException):  # the connection goes down with the process
        return


WAYS: dict[str, tuple[Callable[[Served], None], str]] = {
    "os._exit in a method": (
        lambda host: ask(host, "POST", "/api/plugins/deadly/die", {"how": "exit", "code": 7}),
        "os._exit(7) was called",
    ),
    # By this code a worker tells gunicorn to give up.
    "os._exit as the server": (
        lambda host: ask(host, "POST", "/api/plugins/deadly/die", {"how": "exit", "code": 4}),
        "os._exit(4) was called",
    ),
    "os._exit in a page": (lambda host: ask(host, "GET", "/deadly"), "os._exit(9) was called"),
    "a segfault in a method": (
        lambda host: ask(host, "POST", "/api/plugins/deadly/die", {"how": "segfault"}),
        "Segmentation fault",
    ),
    "a segfault in a handler": (
        lambda host: ask(host, "POST", "/api/plugins/messages", {"type": "work:die"}),
        "Segmentation fault",
    ),
}


def worker(host: Served) -> str:
    """Return what tells one process of the host from the next."""
    metrics = host.get("/metrics").text
    return next(line for line in metrics.splitlines() if line.startswith("process_start_time_seconds"))


def is_back(host: Served, before: str) -> bool:
    try:
        return host.get("/readyz", timeout=5).status == 200 and worker(host) != before
    except (OSError, HTTPException, StopIteration):
        return False


def entry(host: Served, plugin: str) -> dict[str, str]:
    items = host.get("/api/plugins/manifest").json()["items"]
    return next(item for item in items if item["id"] == plugin)


@pytest.mark.parametrize("way", WAYS)
def test_after_a_plugin_ended_the_process_the_host_is_back_with_that_plugin_off(serving: Serving, way: str) -> None:
    end, cause = WAYS[way]
    host = serving("deadly", "bystander")
    before = worker(host)

    began = time.monotonic()
    end(host)
    until(lambda: is_back(host, before), f"back; its log: {host.log[-20:]}")
    assert time.monotonic() - began < BACK

    dead = entry(host, "deadly")
    assert dead["status"] == "error"
    assert cause in dead["error"]
    assert "deadly.py:" in dead["error"]
    assert host.call("bystander", "echo", "a") == "a"
    assert any("a plugin ended the host" in line and "deadly" in line for line in host.log)
    account = host.get("/api/plugins/deadly").json()["account"]
    assert account["errors"]["crash"] == 1
    assert any("deadly.py:" in line for line in account["faults"][-1]["stack"])


def test_who_ended_the_process_is_off_after_a_restart_too_until_it_is_enabled(serving: Serving) -> None:
    host = serving("deadly", "bystander")
    before = worker(host)
    ask(host, "GET", "/deadly")
    until(lambda: is_back(host, before), f"back; its log: {host.log[-20:]}")
    host.stop()

    again = serving(folder=host.folder)
    assert again.status("deadly") == "error"
    assert again.switch("deadly", "enabled").json()["status"] == "enabled"
    again.stop()

    third = serving(folder=host.folder)
    assert third.status("deadly") == "enabled"


def test_a_start_that_a_plugin_ended_leaves_only_that_one_out(serving: Serving) -> None:
    host = serving("bystander")
    host.stop()
    plugins = host.folder / "plugins"
    (plugins / "deadly.now").touch()

    again = serving("deadly", folder=host.folder)

    assert again.status("deadly") == "error"
    assert again.status("bystander") == "enabled"
    assert not any("safe mode" in line for line in again.log)


def test_a_host_that_was_killed_blames_nobody(serving: Serving) -> None:
    host = serving("deadly")
    host.kill()

    assert serving(folder=host.folder).status("deadly") == "enabled"
