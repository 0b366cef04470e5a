"""The floor: one send a client and message, and nothing else that a server has to do."""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

from benchmarks.fanout.marks import obey, text

_HELLO = b"\x81\x02hi"  # a text frame, by which the load client knows that it is among the clients
_ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: the load client does not look\r\n\r\n"
)


class Loop:
    """Sends each message to every client, one after another."""

    def __init__(self) -> None:
        self._clients: list[socket.socket] = []

    def take(self, listener: socket.socket) -> None:
        """Take clients for ever."""
        while True:
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if b"\r\n\r\n" in client.recv(4_096):  # the load client sends its request in one piece
                client.sendall(_ANSWER + _HELLO)
                self._clients.append(client)

    def publish(self, payload: dict[str, str]) -> None:
        """Send a message to all."""
        data = text(payload).encode()
        frame = b"\x81\x7e" + len(data).to_bytes(2, "big") + data
        for client in self._clients:
            client.send(frame)  # blocking: it waits for a slow client, which a real server must not

    def flush(self) -> None:
        """Nothing is held back."""


def main(port: int, control: Path) -> None:
    """Serve on *port* and publish by the orders on *control*."""
    loop = Loop()
    listener = socket.create_server(("127.0.0.1", port), backlog=1_024)
    threading.Thread(target=loop.take, args=(listener,), daemon=True).start()
    obey(control, loop)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
