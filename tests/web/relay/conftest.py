"""Hosts for the relay's tests: one in this process, whose parts a test can reach, and real servers beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3
from werkzeug.serving import WSGIRequestHandler, make_server

from corehost.web.relay.limits import RelayLimits
from corehost.web.relay.websocket import Reader
from tests.web.relay.browser import Browser, Events, Raw
from tests.web.relay.memory_backend import MemoryBackend
from tests.web.relay.memory_host import MemoryHost

ROOT = Path(__file__).parents[3]


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None: ...


class LocalHost(MemoryHost):
    """A host in this process."""

    port: int

    def browser(self, caller: str = "admin", **options: Any) -> Browser:
        browser = Browser(self.port, caller, **options)
        browser.next("session.welcome")
        return browser

    def raw(self, **options: Any) -> Raw:
        return Raw(self.port, **options)

    def events(self, query: str = "", **options: Any) -> Events:
        return Events(self.port, query, **options)


@contextmanager
def local_host(
    backend: MemoryBackend | None = None, *, reader: Reader | None = None, **limits: Any
) -> Iterator[LocalHost]:
    host = LocalHost(backend or MemoryBackend(), RelayLimits(**limits), reader)
    server = make_server("127.0.0.1", 0, host, threaded=True, request_handler=_Quiet)
    host.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield host
    finally:
        host.relay.stop()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def make_host() -> Iterator[Callable[..., LocalHost]]:
    with ExitStack() as hosts:
        yield lambda backend=None, **limits: hosts.enter_context(local_host(backend, **limits))


@pytest.fixture
def host(make_host: Callable[..., LocalHost]) -> LocalHost:
    return make_host()


@pytest.fixture
def held() -> Iterator[ExitStack]:
    """Closes at the end what a test has opened."""
    with ExitStack() as stack:
        yield stack


class Served:
    """A host in a process of its own."""

    def __init__(
        self, server: str, *, epoch: str | None = None, threads: int = 4, port: int = 0, **limits: Any
    ) -> None:
        command = [sys.executable, str(Path(__file__).parent / "memory_host.py"), "--server", server]
        command += ["--threads", str(threads), "--port", str(port), "--limits", json.dumps(limits)]
        command += ["--epoch", epoch] if epoch else []
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT, env=_environment()
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.http = urllib3.PoolManager(retries=False, maxsize=8)

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        return self.http.request("GET", f"http://127.0.0.1:{self.port}{path}", timeout=10)

    def figures(self) -> dict[str, int]:
        figures: dict[str, int] = self.get("/figures").json()
        return figures

    def burst(self, type: str, count: int, *, start: int = 0, pad: int = 0) -> None:
        order = {"type": type, "count": count, "from": start, "pad": pad}
        self.http.request("POST", f"http://127.0.0.1:{self.port}/burst", json=order, timeout=30)

    def browser(self, caller: str = "admin", **options: Any) -> Browser:
        browser = Browser(self.port, caller, **options)
        browser.next("session.welcome")
        return browser

    def stop(self, sent: int = signal.SIGTERM) -> int:
        self.process.send_signal(sent)
        return self.process.wait(10)

    def close(self) -> None:
        self.http.clear()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def start(server: str = "gunicorn", **options: Any) -> Served:
        started.append(Served(server, **options))
        return started[-1]

    yield start
    for served in started:
        served.close()


@pytest.fixture(params=["gunicorn", "werkzeug"], scope="module")
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    served = Served(request.param)
    yield served
    served.close()


def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until *holds*; fails if it does not in time."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if holds():
            return
        pause.wait(0.01)
    raise AssertionError("It never came true.")
