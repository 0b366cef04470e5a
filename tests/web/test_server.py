from __future__ import annotations

import http.client
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "programs" / "small_host.py"


class Served:
    """A small host in a process of its own."""

    def __init__(self, mode: str, *flags: str, descriptors: int | None = None) -> None:
        limited = [] if descriptors is None else ["prlimit", f"--nofile={descriptors}:{descriptors}"]
        self.process = subprocess.Popen(
            [*limited, sys.executable, str(PROGRAM), mode, *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def expect(self, first: str, seconds: float = 20.0) -> list[str]:
        """Wait for a line that begins with *first* and return its words; lines before it are dropped."""
        end = time.monotonic() + seconds
        while True:
            words = self._lines.get(timeout=max(0.01, end - time.monotonic())).split()
            if words[0] == first:
                return words

    def port(self) -> int:
        """Wait until it listens and return the port."""
        return int(self.expect("listening")[1])

    def errors(self) -> str:
        """Wait for the end and return what was written to stderr."""
        assert self.process.stderr is not None
        text = self.process.stderr.read()
        self.process.wait(20.0)
        return text

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)


@pytest.fixture
def closers() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def serving(closers: ExitStack, mode: str = "well", *flags: str, descriptors: int | None = None) -> Served:
    served = Served(mode, *flags, descriptors=descriptors)

    def end() -> None:
        if served.process.poll() is None:
            served.process.send_signal(signal.SIGTERM)
            try:
                served.process.wait(20.0)
            except subprocess.TimeoutExpired:
                served.process.kill()
                served.process.wait()
        for stream in (served.process.stdout, served.process.stderr):
            assert stream is not None
            stream.close()

    closers.callback(end)
    return served


def ask(port: int, path: str = "/", timeout: float = 5.0) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def connect(port: int, closers: ExitStack) -> socket.socket:
    return closers.enter_context(socket.create_connection(("127.0.0.1", port), 10.0))


@pytest.mark.parametrize("flags", [(), ("--debug",)])
def test_the_host_is_told_the_true_port_and_serves_until_told_to_stop(
    closers: ExitStack, flags: tuple[str, ...]
) -> None:
    served = serving(closers, "well", *flags)
    port = served.port() if not flags else int(served.expect("port")[1])
    served.expect("started")

    assert ask(port) == 200
    served.process.send_signal(signal.SIGTERM)

    for word in ("stopping", "stopped"):
        served.expect(word)
    assert served.expect("ended") == ["ended", "0"]
    assert served.errors() == ""


def test_ctrl_c_stops_as_cleanly(closers: ExitStack) -> None:
    served = serving(closers)
    served.port()
    served.expect("started")

    served.process.send_signal(signal.SIGINT)

    served.expect("stopped")
    assert served.expect("ended") == ["ended", "0"]


@pytest.mark.parametrize("flags", [(), ("--debug",)])
@pytest.mark.parametrize(
    ("mode", "text"), [("cannot-be-made", "The data folder is locked."), ("refuses-to-start", "The self check failed.")]
)
def test_a_host_that_refuses_ends_the_process_with_its_reason(
    closers: ExitStack, mode: str, text: str, flags: tuple[str, ...]
) -> None:
    served = serving(closers, mode, *flags)

    assert served.expect("ended") == ["ended", "4"]
    errors = served.errors()
    assert text in errors
    assert "Traceback" not in errors
    assert served.process.returncode == 4


def test_hangup_reaches_the_host_and_replaces_no_process(closers: ExitStack) -> None:
    served = serving(closers)
    port = served.port()
    worker = served.expect("created")[1]
    served.expect("started")

    served.process.send_signal(signal.SIGHUP)
    served.expect("reloaded")

    assert ask(port) == 200
    os.kill(int(worker), 0)


def test_connections_that_say_nothing_hold_no_thread(closers: ExitStack) -> None:
    served = serving(closers)
    port = served.port()
    served.expect("started")
    for _ in range(400):
        connect(port, closers)

    began = time.monotonic()
    assert ask(port) == 200
    assert time.monotonic() - began < 2.0


def test_a_client_that_does_not_close_holds_up_nobody(closers: ExitStack) -> None:
    served = serving(closers)
    port = served.port()
    served.expect("started")
    for _ in range(3):
        lingering = connect(port, closers)
        lingering.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while lingering.recv(4_096):
            pass

    began = time.monotonic()
    assert ask(port) == 200
    assert time.monotonic() - began < 1.5


def test_want_of_descriptors_delays_and_does_not_end_the_worker(closers: ExitStack) -> None:
    served = serving(closers, descriptors=60)
    port = served.port()
    worker = served.expect("created")[1]
    served.expect("started")
    with ExitStack() as crowd:
        for _ in range(90):
            connect(port, crowd)
        threading.Event().wait(0.5)  # for the worker to run out of descriptors
    assert ask(port, timeout=10.0) == 200
    os.kill(int(worker), 0)


def test_a_request_stuck_in_a_view_does_not_keep_the_process(closers: ExitStack) -> None:
    served = serving(closers)
    port = served.port()
    served.expect("started")
    stuck = connect(port, closers)
    stuck.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
    assert ask(port) == 200

    served.process.send_signal(signal.SIGTERM)

    served.expect("stopping", 2.0)
    assert served.expect("ended", 20.0) == ["ended", "0"]
