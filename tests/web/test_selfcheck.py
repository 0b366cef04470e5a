"""The host's look at itself before it serves."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from corehost.web.selfcheck import TakeoverError, check_takeover
from tests.web.relay.conftest import local_host

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@pytest.fixture
def careless() -> Iterator[int]:
    """The port of a server that welcomes a WebSocket and ends the connection with the request, as gunicorn would."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    _answer(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def _answer(connection: socket.socket) -> None:
    head = connection.recv(65_536)
    if b"sec-websocket-key" not in head.lower():
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return
    lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n") if b": " in line)
    key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    assert lines[b"upgrade"] == b"websocket"
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())  # noqa: S324  # RFC 6455 wants it
    welcome = b'{"jsonrpc":"2.0","method":"session.welcome","params":{}}'
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: corehost.v1\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        b"\x81" + bytes([len(welcome)]) + welcome
    )


def test_a_server_that_lets_go_of_sockets_passes() -> None:
    with local_host() as host:
        check_takeover(f"http://127.0.0.1:{host.port}", "any")


def test_a_server_that_ends_sockets_with_their_requests_is_refused(careless: int) -> None:
    with pytest.raises(TakeoverError, match="do not survive"):
        check_takeover(f"http://127.0.0.1:{careless}", "any")


def test_a_server_that_does_not_answer_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TakeoverError, match="do not survive"):
        check_takeover(f"http://127.0.0.1:{port}", "any")
