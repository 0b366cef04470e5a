"""The publisher for a broker: a client of its own that sends what the load client orders."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from benchmarks.fanout.marks import obey, text

_MANY = 256  # messages in one send


class Nats:
    """Speaks the NATS protocol."""

    hello = b'CONNECT {"verbose":false,"pedantic":false}\r\n'

    def wrap(self, data: bytes) -> bytes:
        """Return the command that publishes *data*."""
        return b"PUB bench.tick %d\r\n%b\r\n" % (len(data), data)


class Mqtt:
    """Speaks MQTT 3.1.1 at QoS 0."""

    # CONNECT: clean session, no keep-alive, the client's id "pub".
    hello = b"\x10\x0f\x00\x04MQTT\x04\x02\x00\x00\x00\x03pub"

    def wrap(self, data: bytes) -> bytes:
        """Return the packet that publishes *data*; its length is in two groups of seven bits."""
        body = b"\x00\x0abench/tick" + data
        return b"\x30%c%c%b" % (0x80 | len(body) & 0x7F, len(body) >> 7, body)


class BrokerOutlet:
    """A connection to the broker."""

    def __init__(self, port: int, speech: Nats | Mqtt) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wrap = speech.wrap
        self._held: list[bytes] = []
        self._socket.sendall(speech.hello)
        self._socket.recv(4_096)  # INFO, or CONNACK

    def publish(self, payload: dict[str, str]) -> None:
        """Publish a message, soon."""
        self._held.append(self._wrap(text(payload).encode()))
        if len(self._held) >= _MANY:
            self.flush()

    def flush(self) -> None:
        """Send what is held back."""
        self._socket.sendall(b"".join(self._held))
        self._held.clear()


if __name__ == "__main__":
    speech = Nats() if sys.argv[1] == "nats" else Mqtt()
    obey(Path(sys.argv[3]), BrokerOutlet(int(sys.argv[2]), speech))
