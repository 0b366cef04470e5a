"""Requests to other plugins do not notice that plugins are swapped."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

from tests.serve.conftest import Serving
from tests.serve.kit import WAIT, Served

IN_FLIGHT = 200
SWAPS = 20


def ask(host: Served, opened: ExitStack) -> socket.socket:
    """Send a request, and leave the answer for later."""
    asked = opened.enter_context(socket.create_connection(("127.0.0.1", host.port), timeout=WAIT))
    lines = ("GET /bystander HTTP/1.1", f"Host: 127.0.0.1:{host.port}", f"Authorization: Bearer {host.token}")
    asked.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
    return asked


def status_line(asked: socket.socket) -> str:
    received = b""
    while block := asked.recv(65_536):
        received += block
    return received.split(b"\r\n", 1)[0].decode()


def swap(host: Served, done: threading.Event) -> list[int]:
    try:
        wanted = ("disabled", "enabled") * (SWAPS // 2)
        return [host.switch("clock", status).status for status in wanted]
    finally:
        done.set()


def test_two_hundred_requests_in_flight_during_twenty_swaps_all_succeed(serving: Serving) -> None:
    host = serving("clock", "bystander")
    assert host.get("/bystander").status == 200
    done = threading.Event()
    answers: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        swapping: Future[list[int]] = pool.submit(swap, host, done)
        while not done.is_set():
            with ExitStack() as opened:
                asked = [ask(host, opened) for _ in range(IN_FLIGHT)]
                answers += [status_line(one) for one in asked]

    assert swapping.result() == [200] * SWAPS
    assert len(answers) >= IN_FLIGHT
    assert set(answers) == {"HTTP/1.1 200 OK"}
    assert host.tracebacks() == []
