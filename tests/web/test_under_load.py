from __future__ import annotations

import functools
import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.web.bench import HEAD, TOKEN
from tests.web.served import Served, serving

SLEEPY = """
import time

def nap():
    time.sleep(10)
    return "slept"

@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/sleepy", routes=(Route(path="/", view=nap),))
"""
QUICK = """
@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/ID", routes=(Route(path="/", view=lambda: "quick"),))
"""


def served(closers: ExitStack, folder: Path, threads: int, **plugins: str) -> tuple[Served, int]:
    (folder / "plugins").mkdir()
    for name, code in plugins.items():
        head = HEAD.format(id=name, name=name, more="")
        (folder / "plugins" / f"{name}.py").write_text(head + code.replace("ID", name))
    host = serving(closers, "bench_host.py", str(folder), str(threads), is_measured=False)
    port = int(host.expect("listening")[1])
    host.expect("started")
    return host, port


def answer_of(port: int, path: str, *, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20.0)
    headers = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/html", "Content-Type": "application/json"}
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def ask(port: int, path: str, *, method: str = "GET", body: bytes | None = None) -> int:
    return answer_of(port, path, method=method, body=body)[0]


def timed(work: Callable[[], int]) -> tuple[int, float]:
    began = time.monotonic()
    return work(), time.monotonic() - began


def test_fifty_requests_to_a_sleeping_view_leave_the_rest_at_its_pace(closers: ExitStack, tmp_path: Path) -> None:
    _, port = served(closers, tmp_path, 4, sleepy=SLEEPY, quick=QUICK)
    with ThreadPoolExecutor(50) as crowd:
        visits = [crowd.submit(ask, port, "/sleepy") for _ in range(50)]
        longest = 0.0
        end = time.monotonic() + 4.0
        while time.monotonic() < end:
            for path in ("/healthz", "/quick"):
                status, seconds = timed(functools.partial(ask, port, path))
                assert status == 200
                longest = max(longest, seconds)
        outcomes = Counter(visit.result() for visit in visits)

    assert longest < 5.0  # who waits for a nap waits for ten seconds; a crowded machine alone is slow
    assert outcomes == {200: 2, 503: 48}


@pytest.mark.parametrize("count", [200])
def test_requests_in_flight_to_others_survive_twenty_swaps(closers: ExitStack, tmp_path: Path, count: int) -> None:
    _, port = served(closers, tmp_path, 16, one=QUICK, two=QUICK, three=QUICK)
    failed: Counter[tuple[int, bytes]] = Counter()
    served_count = 0
    stop = threading.Event()
    lock = threading.Lock()

    def visit(path: str) -> None:
        nonlocal served_count
        while not stop.is_set():
            status, body = answer_of(port, path)
            with lock:
                served_count += 1
                if status != 200:
                    failed[status, body] += 1

    visitors = [threading.Thread(target=visit, args=(("/one", "/two")[number % 2],)) for number in range(count)]
    for visitor in visitors:
        visitor.start()
    for number in range(20):
        wanted = "enabled" if number % 2 else "disabled"
        body = json.dumps({"status": wanted}).encode()
        assert ask(port, "/api/plugins/three/status", method="PUT", body=body) in (200, 202)
    stop.set()
    for visitor in visitors:
        visitor.join(30.0)

    assert served_count > count
    assert failed == {}
