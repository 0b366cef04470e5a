"""What it costs to run a plugin in a process of its own, beside the same one in process. Run as `… <share>`."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from werkzeug.test import Client, TestResponse

from benchmarks.bus.works import answer
from corehost import PermissionSet, UserContext
from corehost.cli.logs import configure_logs
from corehost.host import Host
from corehost.plugins.isolation.runner import Isolation, IsolationOptions
from corehost.plugins.options import PluginOptions
from corehost.settings import Settings
from corehost.web.server import SWITCH_SECONDS

ADMIN = UserContext(id="admin", permissions=PermissionSet({"*"}))
TOKEN = "a-token-for-the-benchmark"
HERE, APART = "here", "apart"
_CALLS, _PAGES, _STARTS, _WARM_UP = 3_000, 500, 40, 50
_SOURCE = """
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


def main(share: float) -> None:
    """Measure, with *share* of the usual number of calls."""
    configure_logs("critical")
    sys.setswitchinterval(SWITCH_SECONDS)
    with _host() as host:
        line = host.registry.get(APART).line
        assert line is not None
        figures = {"memory": _private(line.process.pid) / 1e6}  # before anything is asked of it
        echo = ["echo", {"a": 1}, None, None]
        figures["call"] = _median(partial(line.call, "method", echo), _CALLS * share) * 1e6
        for name in (HERE, APART):
            call = partial(host.plugins.gateway.call, name, "echo", 1, user=ADMIN)
            figures[f"{name} method"] = _median(call, _CALLS * share) * 1e6
            figures[f"{name} page"] = _median(_page(host, name), _PAGES * share) * 1e3
        figures["ready"] = _ready(host, _STARTS * share) * 1e3
    answer(**figures)


@contextmanager
def _host() -> Iterator[Host]:
    with tempfile.TemporaryDirectory(prefix="corehost-bench-") as name:
        plugins = Path(name, "plugins")
        plugins.mkdir()
        for plugin in (HERE, APART):
            (plugins / f"{plugin}.py").write_text(_SOURCE.format(id=plugin), encoding="utf-8")
        options = PluginOptions(
            folders=(plugins,), builtin_package=None, entry_points=False, scan_seconds=0, isolated=frozenset({APART})
        )
        host = Host(Settings(data_dir=Path(name, "data"), token=TOKEN), options=options)
        try:
            host.start()
            yield host
        finally:
            host.stop()


def _ready(host: Host, count: float) -> float:
    """Return the seconds from the order to the template until the plugin's code is imported in a new process."""
    runner = Isolation(
        faults=host.plugins.faults,
        require=lambda *_: None,
        died=lambda *_: None,
        options=IsolationOptions(),
    )
    plugin, took = host.registry.get(APART), []
    try:
        for _ in range(max(5, int(count))):
            began = time.perf_counter()
            _, _, undo = runner.start(plugin)
            took.append(time.perf_counter() - began)
            undo()
    finally:
        runner.close()
    return statistics.median(took[1:])  # the first waits for the template to be there


def _page(host: Host, name: str) -> Callable[[], object]:
    client = Client(host.wsgi, TestResponse)
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "application/json"}

    def get() -> None:
        found = client.get(f"/{name}", base_url="http://127.0.0.1:8620", headers=headers, buffered=True)
        assert found.status_code == 200, found.text

    return get


def _private(pid: int) -> int:
    """Return how many bytes belong to the process alone."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def _median(work: Callable[[], object], count: float) -> float:
    for _ in range(_WARM_UP):
        work()
    return statistics.median(_timed(work) for _ in range(max(10, int(count))))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(float(sys.argv[1]))
