"""Measure what it costs to run a plugin in a process of its own: `.venv/bin/python scripts/bench/isolation.py`."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from werkzeug.test import Client, TestResponse  # the path had to be set first

from corehost import PermissionSet, UserContext
from corehost.host import Host
from corehost.plugins.options import PluginOptions
from corehost.settings import Settings

ADMIN = UserContext(id="admin", permissions=PermissionSet({"*"}))
TOKEN = "a-token-for-the-benchmark"
CALLS, PAGES, STARTS = 3_000, 500, 20
SOURCE = """
from corehost import *

@hookimpl
def corehost_manifest():
    return Manifest(id="{id}", name="A", version="1.0.0", description="", permissions=("api:expose", "routes:register"))

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={{"echo": Method(handler=lambda input, context: input)}})

@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/{id}", routes=(Route(path="/", view=lambda: {{"hello": "world"}}),))
"""


def main() -> None:
    """Print a table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory() as folder:
        plugins = Path(folder) / "plugins"
        plugins.mkdir()
        for name in ("here", "apart"):
            (plugins / f"{name}.py").write_text(SOURCE.format(id=name))
        options = PluginOptions(
            folders=(plugins,),
            builtin_package=None,
            entry_points=False,
            scan_seconds=0,
            isolated=frozenset({"apart"}),
        )
        host = Host(Settings(data_dir=Path(folder) / "data", token=TOKEN), options=options)
        began = time.perf_counter()
        host.start()
        print(f"{'first start, with the template':42} {(time.perf_counter() - began) * 1e3:9.1f} ms")
        try:
            measure(host)
        finally:
            host.stop()


def measure(host: Host) -> None:
    """Print what a running host costs."""
    lifecycle = host.plugins.lifecycle
    client = Client(host.wsgi, TestResponse)
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}

    def page(name: str) -> None:
        client.get(f"/{name}", base_url="http://127.0.0.1:8620", headers=headers, buffered=True)

    def restart(name: str) -> Callable[[], object]:
        lifecycle.disable(name)
        return lambda: lifecycle.enable(name)

    line = host.registry.get("apart").line
    assert line is not None
    echo = ["echo", {"a": 1}, None, None]
    show("raw call over the line", "µs", 1e6, [timed(partial(line.call, "method", echo)) for _ in range(CALLS)])
    for name in ("here", "apart"):
        calls = [timed(lambda: host.plugins.gateway.call(name, "echo", 1, user=ADMIN)) for _ in range(CALLS)]  # noqa: B023  # called at once
        show(f"method of a plugin {name}", "µs", 1e6, calls)
        show(f"page of a plugin {name}", "ms", 1e3, [timed(lambda: page(name)) for _ in range(PAGES)])  # noqa: B023  # as above
        show(f"enable a plugin {name}", "ms", 1e3, [timed(restart(name)) for _ in range(STARTS)])
    line = host.registry.get("apart").line
    assert line is not None
    print(f"{'private memory of a worker':42} {private(line.process.pid) / 1e6:9.1f} MB")


def private(pid: int) -> int:
    """Return how many bytes belong to the process alone."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds *work* takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def show(what: str, unit: str, factor: float, seconds: list[float]) -> None:
    """Print median and 99th percentile."""
    ordered = sorted(seconds)
    middle, high = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
    print(f"{what:42} {middle * factor:9.1f} {unit}   p99 {high * factor:9.1f} {unit}")


if __name__ == "__main__":
    main()
