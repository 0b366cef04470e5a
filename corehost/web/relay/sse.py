"""A stream of server-sent events, for clients without WebSocket."""

from __future__ import annotations

import random

from corehost.web.relay.client import Client
from corehost.web.relay.frames import Wire

HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: text/event-stream\r\n"
    b"Cache-Control: no-cache\r\n"
    b"X-Accel-Buffering: no\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
    b"Connection: close\r\n\r\n"
)
_COMMENT = b":\n\n"


class EventStream(Client):
    """One stream; the head of the response is its first bytes, and ends without a length when the socket does."""

    wire = Wire.EVENTS

    def receive(self, data: bytes) -> None:
        """Nothing is expected after the request; what comes is ignored."""

    def farewell(self, code: int, reason: str) -> bytes:
        """An end is not told: the client sees it and comes back with Last-Event-ID."""
        return b""

    def whole(self, block: bytes, offset: int) -> int:
        """Nothing more is needed: a client throws away an event without its end."""
        return offset

    def beat(self) -> None:
        """Send a comment; a client that does not take it is found by its queue."""
        self.heard = self.pending == 0
        self.write(_COMMENT)

    def begin(self, cursor: str) -> None:
        """Say from where the stream goes on, so that a client resumes although no message has come yet."""
        # Spread by chance, so that a thousand clients of a restarted host do not return in one moment.
        self.write(b"retry: %d\nid: %b\n\n" % (_wait(), cursor.encode()))


def _wait() -> int:
    return random.randint(1_000, 3_000)  # noqa: S311  # no secret
