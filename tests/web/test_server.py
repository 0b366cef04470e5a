from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from tests.web.served import Served, serving


def small(closers: ExitStack, mode: str = "well", *flags: str, descriptors: int | None = None) -> Served:
    return serving(closers, "small_host.py", mode, *flags, descriptors=descriptors)


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
    served = small(closers, "well", *flags)
    port = served.port() if not flags else int(served.expect("port")[1])
    served.expect("started")

    assert ask(port) == 200
    served.process.send_signal(signal.SIGTERM)

    for word in ("stopping", "stopped"):
        served.expect(word)
    assert served.expect("ended")[1:] == ["0", str(served.process.pid)]
    assert served.errors() == ""


def test_ctrl_c_stops_as_cleanly(closers: ExitStack) -> None:
    served = small(closers)
    served.port()
    served.expect("started")

    served.process.send_signal(signal.SIGINT)

    served.expect("stopped")
    assert served.expect("ended")[1:] == ["0", str(served.process.pid)]


@pytest.mark.parametrize("flags", [(), ("--debug",)])
@pytest.mark.parametrize(
    ("mode", "text"), [("cannot-be-made", "The data folder is locked."), ("refuses-to-start", "The self check failed.")]
)
def test_a_host_that_refuses_ends_the_process_with_its_reason(
    closers: ExitStack, mode: str, text: str, flags: tuple[str, ...]
) -> None:
    served = small(closers, mode, *flags)

    assert served.expect("ended")[1:] == ["4", str(served.process.pid)]
    errors = served.errors()
    assert text in errors
    assert "Traceback" not in errors
    assert served.process.returncode == 4


def test_hangup_reaches_the_host_and_replaces_no_process(closers: ExitStack) -> None:
    served = small(closers)
    port = served.port()
    worker = served.expect("created")[1]
    served.expect("started")

    served.process.send_signal(signal.SIGHUP)
    served.expect("reloaded")

    assert ask(port) == 200
    os.kill(int(worker), 0)


def test_connections_that_say_nothing_hold_no_thread(closers: ExitStack) -> None:
    served = small(closers)
    port = served.port()
    served.expect("started")
    for _ in range(400):
        connect(port, closers)

    began = time.monotonic()
    assert ask(port) == 200
    assert time.monotonic() - began < 10.0


def test_a_client_that_does_not_close_holds_up_nobody(closers: ExitStack) -> None:
    served = small(closers)
    port = served.port()
    served.expect("started")
    for _ in range(10):
        lingering = connect(port, closers)
        lingering.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        while lingering.recv(4_096):
            pass

    began = time.monotonic()
    assert ask(port) == 200
    assert time.monotonic() - began < 10.0  # each would cost gunicorn's main loop 2 s


def test_want_of_descriptors_delays_and_does_not_end_the_worker(closers: ExitStack) -> None:
    served = small(closers, descriptors=60)
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
    served = small(closers)
    port = served.port()
    served.expect("started")
    stuck = connect(port, closers)
    stuck.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
    assert ask(port) == 200

    served.process.send_signal(signal.SIGTERM)

    served.expect("stopping", 2.0)
    assert served.expect("ended", 20.0)[1:] == ["0", str(served.process.pid)]


def test_a_worker_that_dies_is_replaced_on_the_same_port(closers: ExitStack) -> None:
    served = small(closers)
    port = served.port()
    worker = served.expect("created")[1]
    served.expect("started")

    os.kill(int(worker), signal.SIGKILL)

    assert served.expect("port") == ["port", str(port)]
    served.expect("started")
    assert ask(port) == 200
