"""Many cheap browsers in one thread: raw sockets behind one selector, their frames parsed by hand."""

from __future__ import annotations

import json
import selectors
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tests.serve.kit import MESSAGES, Served
from tests.web.relay.browser import frame, handshake

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset, as a lost connection
AT_ONCE = 1_000  # connections that are being opened
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10

OnFrame = Callable[["Member", int, bytes], Any]


class Member:
    """One browser; ``status`` is what its handshake was answered with, ``code`` that of the close it was sent."""

    def __init__(self, port: int, head: bytes, on_frame: OnFrame, receive_buffer: int | None) -> None:
        self.sock = socket.socket()
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.setblocking(False)
        self.sock.connect_ex(("127.0.0.1", port))
        self.status = 0
        self.is_greeted = False
        self.is_ended = False
        self.code: int | None = None
        self._head = head
        self._on_frame = on_frame
        self._data = bytearray()

    def greet(self) -> None:
        """Send the handshake; the connection is there."""
        self.sock.send(self._head)
        self.is_greeted = True

    def send(self, data: bytes) -> None:
        assert self.sock.send(data) == len(data), "a few bytes fit"

    def read(self) -> None:
        """Take in what has come."""
        try:
            data = self.sock.recv(65_536)
        except OSError:
            data = b""
        self.is_ended = not data
        self._data += data
        if not self.status and not self._take_head():
            return
        while (size := self._take_frame()) is not None:
            del self._data[:size]

    def _take_head(self) -> bool:
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if found:
            self.status, self._data = int(head.split(b" ", 2)[1]), rest
        return bool(found)

    def _take_frame(self) -> int | None:
        """Hand on the first frame and return its size, ``None`` if it is not whole."""
        data = self._data
        if self.status != 101 or len(data) < 2:
            return None
        assert data[0] & 0x80, f"a fragment or no frame at all: {data[:40]!r}"
        assert data[0] & 0x7F in (TEXT, CLOSE, PING, PONG), f"no frame: {data[:40]!r}"
        assert data[1] < 0x80, "a server masks nothing"
        size, begin = data[1], 2
        if size >= 126:
            begin = 4 if size == 126 else 10
            size = int.from_bytes(data[2:begin], "big")
        if len(data) < begin + size:
            return None
        payload = bytes(data[begin : begin + size])
        if data[0] & 0x0F == CLOSE:
            self.code = int.from_bytes(payload[:2], "big")
        self._on_frame(self, data[0] & 0x0F, payload)
        return begin + size


class Crowd:
    """Browsers that come with an administrator's token; who answers pings is said by *on_frame*, ``answer`` does."""

    def __init__(self, host: Served) -> None:
        self.members: list[Member] = []
        self._host = host
        self._selector = selectors.DefaultSelector()

    def open(
        self, count: int, on_frame: OnFrame | None = None, *, seconds: float, receive_buffer: int | None = None
    ) -> list[Member]:
        """Let *count* come, up to ``AT_ONCE`` of them at the same time, and wait until all have their answer."""
        head = handshake(X_Caller="", Host=f"127.0.0.1:{self._host.port}", Authorization=f"Bearer {self._host.token}")
        assert MESSAGES.encode() in head
        to_come = count
        coming: set[Member] = set()
        come: list[Member] = []
        end = time.monotonic() + seconds
        while to_come or coming:
            assert time.monotonic() < end, f"{len(come)} of {count} had come in {seconds} s"
            for _ in range(min(to_come, AT_ONCE - len(coming))):
                member = Member(self._host.port, head, on_frame or answer, receive_buffer)
                self._selector.register(member.sock, selectors.EVENT_WRITE, member)
                coming.add(member)
                to_come -= 1
            self.turn()
            arrived = [member for member in coming if member.status or member.is_ended]
            coming.difference_update(arrived)
            come += arrived
        self.members += come
        return come

    def turn(self, timeout: float = 0.1) -> None:
        """Read what has come to whoever is listened to."""
        for key, events in self._selector.select(timeout):
            member: Member = key.data
            if events & selectors.EVENT_WRITE:
                member.greet()
                self._selector.modify(member.sock, selectors.EVENT_READ, member)
            else:
                member.read()
                if member.is_ended:
                    self.ignore([member])

    def until(self, holds: Callable[[], bool], what: str, *, seconds: float) -> None:
        """Go on reading until *holds*."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"not within {seconds} s: {what}"
            self.turn()

    def ignore(self, members: Iterable[Member]) -> None:
        """Read nothing more of *members*."""
        for member in members:
            if member.sock in self._selector.get_map():
                self._selector.unregister(member.sock)

    def listen(self, members: Iterable[Member]) -> None:
        """Read *members* again."""
        for member in members:
            self._selector.register(member.sock, selectors.EVENT_READ, member)

    def statuses(self) -> Counter[int]:
        return Counter(member.status for member in self.members)

    def go(self) -> None:
        """Go, in the three ways there are: by a close frame, by an end, by a reset."""
        self.ignore(self.members)
        for number, member in enumerate(self.members):
            if number % 3 == 0 and not member.is_ended:
                member.sock.send(frame(b"\x03\xe8", CLOSE))
            elif number % 3 == 1:
                member.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            member.sock.close()
        self.members.clear()

    def close(self) -> None:
        """Go, and be forgotten."""
        self.go()
        self._selector.close()


def answer(member: Member, opcode: int, payload: bytes) -> None:
    """Answer a ping, as every browser does."""
    if opcode == PING:
        member.send(frame(payload, PONG))


def request(method: str, id: int, **params: Any) -> bytes:
    """Return a JSON-RPC request as a frame."""
    return frame(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).encode())
