"""WebSocket servers that do to their messages what a test asks for."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.fanout.marks import obey, text

Twist = Callable[[list[bytes]], list[bytes]]
"""Takes the pieces that a client should get, in order, and returns those that it gets."""

_PATIENCE = 10.0


def frame(data: bytes, opcode: int = 1) -> bytes:
    head = bytes([0x80 | opcode])
    return head + (bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2, "big")) + data


def straight(pieces: list[bytes]) -> list[bytes]:
    return pieces


class CrookedServer:
    """Greets each client as the protocol has it, and sends what is published through *twist*.

    ``heard`` is everything that clients said, whose frames are masked with a key of zero and so can be read.
    """

    answer = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    hello = frame(b"hi")
    replies: tuple[tuple[bytes, bytes], ...] = ()

    def __init__(self, twist: Twist = straight) -> None:
        self._twist = twist
        self._clients: list[socket.socket] = []
        self._held: list[bytes] = []
        self._changed = threading.Condition()
        self._heard = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def wrap(self, data: bytes) -> bytes:
        return frame(data)

    def publish(self, payload: dict[str, str]) -> None:
        self._held.append(self.wrap(text(payload).encode()))

    def flush(self) -> None:
        pieces, self._held = self._twist(self._held), []
        for client in self._clients:
            for piece in pieces:
                client.sendall(piece)

    def wait_for(self, words: bytes) -> None:
        """Wait until a client has said *words*."""
        with self._changed:
            assert self._changed.wait_for(lambda: words in self._heard, _PATIENCE), self._heard

    @contextmanager
    def serving(self, control: Path) -> Iterator[None]:
        threads = [threading.Thread(target=self._accept), threading.Thread(target=obey, args=(control, self))]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            for client in self._clients:
                client.close()
            for thread in threads:
                thread.join()
            self._listener.close()

    def _accept(self) -> None:
        readers = []
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                break
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            readers.append(threading.Thread(target=self._talk, args=(client,)))
            readers[-1].start()
        for reader in readers:
            reader.join()

    def _talk(self, client: socket.socket) -> None:
        assert b"\r\n\r\n" in client.recv(4_096)
        self._clients.append(client)
        client.sendall(self.answer + self.hello)
        try:
            while said := client.recv(4_096):
                with self._changed:
                    self._heard += said
                    self._changed.notify_all()
                for words, reply in self.replies:
                    if words in said:
                        client.sendall(reply)
        except OSError:
            return


class CrookedNats(CrookedServer):
    """The lines of NATS, in frames whose borders are where no line ends."""

    hello = frame(b'INFO {"server_id":"x"}\r\n', 2)
    replies: tuple[tuple[bytes, bytes], ...] = ((b"PING\r\n", frame(b"PO", 2) + frame(b"NG\r\n", 2)),)

    def wrap(self, data: bytes) -> bytes:
        return b"MSG bench.tick 1 %d\r\n%b\r\n" % (len(data), data)

    def flush(self) -> None:
        stream = b"".join(self._twist(self._held))
        self._held = [frame(stream[at : at + 37], 2) for at in range(0, len(stream), 37)]
        self._twist = straight
        super().flush()


class CrookedMqtt(CrookedNats):
    """The packets of MQTT, in frames whose borders are where no packet ends."""

    hello = b""
    replies = (
        (b"MQTT", frame(b"\x20\x02\x00\x00", 2)),
        (b"bench/tick", frame(b"\x90\x03\x00", 2) + frame(b"\x01\x00", 2)),
    )

    def wrap(self, data: bytes) -> bytes:
        body = b"\x00\x0abench/tick" + data
        return b"\x30%c%c%b" % (0x80 | len(body) & 0x7F, len(body) >> 7, body)


class CrookedSocketIo(CrookedServer):
    """Socket.IO, with a heartbeat before each message."""

    hello = frame(b'0{"sid":"x"}')
    replies = ((b"40", frame(b'40{"sid":"y"}')),)

    def wrap(self, data: bytes) -> bytes:
        return frame(b"2") + frame(b'42["tick",%b]' % data)
