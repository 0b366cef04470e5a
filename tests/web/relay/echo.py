"""A reader that sends back what it hears: the relay without JSON-RPC, for tests of the protocol below it."""

from __future__ import annotations

from corehost.web.relay.frames import binary_frame, text_frame
from corehost.web.relay.websocket import WebSocket


class Echo:
    def add(self, client: WebSocket) -> None: ...

    def remove(self, client: WebSocket) -> None: ...

    def text(self, client: WebSocket, text: str) -> None:
        client.write(text_frame(text.encode()))

    def binary(self, client: WebSocket, data: bytes) -> None:
        client.write(binary_frame(data))
