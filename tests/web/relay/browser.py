"""Clients for tests: a WebSocket that speaks JSON-RPC, a raw socket, and a stream of events."""

from __future__ import annotations

import base64
import itertools
import json
import os
import socket
from collections import deque
from collections.abc import Iterator
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

PATH = "/api/plugins/messages"
WAIT = 10.0


class RpcFailureError(Exception):
    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.code: int = error["code"]
        self.data: Any = error.get("data")


class Browser:
    """A WebSocket; ``call`` waits for its answer and keeps what else comes for ``next``."""

    def __init__(self, port: int, caller: str = "admin", **options: Any) -> None:
        headers = {"X-Caller": caller}
        options = {"ping_interval": None, "compression": None, "max_size": None, "max_queue": None, **options}
        self._opened = connect(
            f"ws://127.0.0.1:{port}{PATH}",
            subprotocols=["corehost.v1"],  # type: ignore[list-item]  # a NewType of str
            additional_headers=headers,
            proxy=None,
            **options,
        )
        self.socket: ClientConnection = self._opened.__enter__()
        self._ids = itertools.count(1)
        self._kept: deque[dict[str, Any]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.__exit__(None, None, None)

    def receive(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.socket.recv(WAIT))
        return data

    def post(self, method: str, /, **params: Any) -> int:
        number = next(self._ids)
        self.socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        return number

    def answer(self, number: int) -> Any:
        for index, kept in enumerate(self._kept):
            if kept.get("id") == number:
                del self._kept[index]
                return _result(kept)
        while (data := self.receive()).get("id") != number:
            self._kept.append(data)
        return _result(data)

    def call(self, method: str, /, **params: Any) -> Any:
        return self.answer(self.post(method, **params))

    def next(self, method: str) -> Any:
        for index, kept in enumerate(self._kept):
            if kept.get("method") == method:
                del self._kept[index]
                return kept["params"]
        while (data := self.receive()).get("method") != method:
            self._kept.append(data)
        return data["params"]

    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = self.next("bus.message")["message"]
        return message

    def messages(self, count: int) -> list[int]:
        return [self.message()["seq"] for _ in range(count)]

    def nothing_more(self) -> bool:
        """Whether no notification is left once the host has answered a ping, which it does after all of them."""
        self.call("ping")
        return not self._kept


def _result(data: dict[str, Any]) -> Any:
    if "error" in data:
        raise RpcFailureError(data["error"])
    return data["result"]


def handshake(caller: str = "admin", **headers: str) -> bytes:
    """The bytes of a WebSocket handshake; a header given as ``""`` is left out."""
    fields = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "X-Caller": caller,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    return "\r\n".join([f"GET {PATH} HTTP/1.1", *lines, "", ""]).encode()


def frame(payload: bytes, opcode: int = 1, *, fin: bool = True) -> bytes:
    """One masked frame of a client."""
    size, mask = len(payload), b"\x01\x02\x03\x04"
    head = bytes([(0x80 if fin else 0) | opcode])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65_536:
        head += bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def rpc(method: str, id: int | None = 1, **params: Any) -> bytes:
    """A request as the bytes of a frame."""
    data = {"jsonrpc": "2.0", "method": method, "params": params}
    return frame(json.dumps(data if id is None else {**data, "id": id}).encode())


class Raw:
    """A TCP connection whose bytes the test sees itself."""

    def __init__(self, port: int, *, receive_buffer: int | None = None) -> None:
        self.sock = socket.socket()
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(WAIT)
        self.sock.connect(("127.0.0.1", port))
        self._file = self.sock.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def head(self) -> tuple[int, dict[str, str]]:
        """Read the head of a response."""
        status = int(self._file.readline().split()[1])
        headers = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers

    def body(self, headers: dict[str, str]) -> bytes:
        return self._file.read(int(headers["content-length"]))

    def open(self, caller: str = "admin") -> None:
        self.send(handshake(caller))
        assert self.head()[0] == 101

    def frame(self) -> tuple[int, bytes]:
        """Read one frame of the server: opcode and payload; (-1, b"") at the end."""
        start = self._file.read(2)
        if len(start) < 2:
            return -1, b""
        size = start[1]
        assert size < 128, "a server masks nothing"
        if size == 126:
            size = int.from_bytes(self._file.read(2), "big")
        elif size == 127:
            size = int.from_bytes(self._file.read(8), "big")
        payload = self._file.read(size)
        return (start[0] & 0x0F, payload) if len(payload) == size else (-1, b"")

    def json(self) -> dict[str, Any]:
        opcode, payload = self.frame()
        assert opcode == 1, (opcode, payload)
        data: dict[str, Any] = json.loads(payload)
        return data

    def close_code(self) -> int:
        """Read frames until the close frame and return its code."""
        while True:
            opcode, payload = self.frame()
            if opcode == 8:
                return int.from_bytes(payload[:2], "big")
            assert opcode != -1, "ended without a close frame"

    def at_end(self) -> bool:
        return self._file.read(1) == b""


class Events:
    """A stream of server-sent events, read as a browser does."""

    def __init__(
        self,
        port: int,
        query: str = "",
        caller: str = "admin",
        last: str | None = None,
        receive_buffer: int | None = None,
    ) -> None:
        self._raw = Raw(port, receive_buffer=receive_buffer)
        more = "" if last is None else f"Last-Event-ID: {last}\r\n"
        first = f"GET {PATH}{query} HTTP/1.1\r\nHost: x\r\nX-Caller: {caller}\r\n"
        self._raw.send(f"{first}Accept: text/event-stream\r\n{more}\r\n".encode())
        self.status, self.headers = self._raw.head()
        self.last = last

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.__exit__()

    def lines(self) -> Iterator[str]:
        while line := self._raw._file.readline():
            yield line.decode().rstrip("\n")

    def next(self) -> tuple[str, Any]:
        """Return the next event's name and data; its cursor counts once it is whole."""
        name, data, cursor = "message", "", self.last
        for line in self.lines():
            key, _, value = line.partition(": ")
            if key == "id":
                cursor = value
            elif key == "event":
                name = value
            elif key == "data":
                data += value
            elif line == "":
                self.last = cursor
                if data:
                    return name, json.loads(data)
        raise EOFError

    def comment(self) -> None:
        for line in self.lines():
            if line.startswith(":"):
                return
        raise EOFError
