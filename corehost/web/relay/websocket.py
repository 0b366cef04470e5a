"""A browser's WebSocket: frames in, whole messages out to whoever answers them."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Protocol

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError

from corehost.web.relay.backend import Identity
from corehost.web.relay.client import TOO_BIG, Client, State
from corehost.web.relay.frames import Wire, frame_end
from corehost.web.relay.limits import RelayLimits
from corehost.web.relay.loop import Loop

_PING = b"\x89\x00"


class Reader(Protocol):
    """Takes in what browsers say, and answers them; called on the loop only."""

    def add(self, client: WebSocket) -> None:
        """Begin with *client*, of whom nothing was read yet."""

    def remove(self, client: WebSocket) -> None:
        """End with *client*, who gets nothing more."""

    def text(self, client: WebSocket, text: str) -> None:
        """Take a text message."""

    def binary(self, client: WebSocket, data: bytes) -> None:
        """Take a binary message."""


class WebSocket(Client):
    """One WebSocket (RFC 6455); reading goes through wsproto, the only frame parser here."""

    wire = Wire.WEBSOCKET

    def __init__(
        self,
        sock: socket.socket,
        identity: Identity,
        loop: Loop,
        limits: RelayLimits,
        left: Callable[[Client], None],
        reader: Reader,
    ) -> None:
        super().__init__(sock, identity, loop, limits, left)
        self._reader = reader
        self._frames = Connection(ConnectionType.SERVER)
        self._parts: list[Any] = []  # of one message, so all are str or all are bytes
        self._size = 0

    def receive(self, data: bytes) -> None:
        """Take in bytes, and hand on every message that they complete."""
        self._frames.receive_data(data)
        for event in self._frames.events():
            self._take(event)
            if self.state is not State.OPEN:
                return

    def farewell(self, code: int, reason: str) -> bytes:
        """Return the close frame; ours, or the echo of the client's."""
        try:
            return bytes(self._frames.send(CloseConnection(code=code, reason=reason or None)))
        except LocalProtocolError:
            return b""

    def whole(self, block: bytes, offset: int) -> int:
        """Return the end of the frame that has been begun."""
        return frame_end(block, offset)

    def beat(self) -> None:
        """Ping; the client's software answers by itself."""
        self.write(_PING)

    def _take(self, event: Event) -> None:
        if isinstance(event, TextMessage | BytesMessage):
            self._take_part(event.data)
            if event.message_finished and self.state is State.OPEN:
                self._hand_on()
        elif isinstance(event, Ping):
            self.write(bytes(self._frames.send(event.response())))
        elif isinstance(event, CloseConnection):
            self._answer_close(event)
        else:
            assert isinstance(event, Pong)  # that something came is all that a pong says

    def _take_part(self, part: str | bytes | bytearray) -> None:
        # A frame's length counts its bytes before they are all here, so no message can fill the memory first.
        self._size += len(part.encode()) if isinstance(part, str) and not part.isascii() else len(part)
        if self._size > self._limits.message_size:
            self.close(TOO_BIG, f"A message is at most {self._limits.message_size} bytes.")
        else:
            self._parts.append(part)

    def _hand_on(self) -> None:
        parts, self._parts, self._size = self._parts, [], 0
        if isinstance(parts[0], str):
            self._reader.text(self, parts[0] if len(parts) == 1 else "".join(parts))
        else:
            self._reader.binary(self, b"".join(parts))

    def _answer_close(self, event: CloseConnection) -> None:
        """Echo the client's close, or tell it how it broke the protocol (1002, 1007)."""
        code = CloseReason.NORMAL_CLOSURE if event.code == CloseReason.NO_STATUS_RCVD else event.code
        self.close(code, event.reason or "" if self._broke(event) else "")

    def _broke(self, event: CloseConnection) -> bool:
        return event.code in (CloseReason.PROTOCOL_ERROR, CloseReason.INVALID_FRAME_PAYLOAD_DATA)
