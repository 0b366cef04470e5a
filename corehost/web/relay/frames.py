"""The bytes that the relay sends: JSON-RPC in WebSocket frames, and server-sent events."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from enum import Enum
from typing import Any

import msgspec

from corehost.contract.message import Message
from corehost.web.relay.backend import Gap

_TEXT, _BINARY = 0x81, 0x82  # the only fragment of its message
_SHORT = 125
_MEDIUM = 65_535

_log = logging.getLogger(__name__)

encode = msgspec.json.Encoder().encode


class Wire(Enum):
    """How messages are written to a client."""

    WEBSOCKET = "websocket"
    EVENTS = "events"


def text_frame(payload: bytes) -> bytes:
    """Return *payload*, UTF-8, as one unmasked WebSocket text frame (RFC 6455, section 5.2)."""
    return _frame(_TEXT, payload)


def binary_frame(payload: bytes) -> bytes:
    """Return *payload* as one unmasked WebSocket binary frame."""
    return _frame(_BINARY, payload)


def frame_end(block: bytes, offset: int) -> int:
    """Return where the frame ends in which *offset* lies; *block* is whole frames of a server."""
    end = 0
    while end < offset:
        size = block[end + 1]
        if size == 126:
            end += 4 + int(struct.unpack_from("!H", block, end + 2)[0])
        elif size == 127:
            end += 10 + int(struct.unpack_from("!Q", block, end + 2)[0])
        else:
            end += 2 + size
    return end


def notification(method: str, params: Any) -> bytes:
    """Return a JSON-RPC notification as a frame."""
    return text_frame(encode({"jsonrpc": "2.0", "method": method, "params": params}))


def result(id: Any, value: Any) -> bytes:
    """Return the answer to a JSON-RPC request as a frame."""
    return text_frame(encode({"jsonrpc": "2.0", "id": id, "result": value}))


def failure(id: Any, error: dict[str, Any]) -> bytes:
    """Return the refusal of a JSON-RPC request as a frame."""
    return text_frame(encode({"jsonrpc": "2.0", "id": id, "error": error}))


class Scribe:
    """Writes a message, or the notice of a gap, as every client of a wire gets it."""

    def __init__(self, cursor_of: Callable[[int], str]) -> None:
        self._cursor_of = cursor_of

    def message(self, wire: Wire, message: Message) -> bytes:
        """Return the bytes of *message*; of one that is no JSON, the notice that it is missing."""
        cursor = self._cursor_of(message.seq)
        try:
            data = encode(message)
        except (TypeError, ValueError, RecursionError):
            _log.exception("Message %s of type %r cannot be sent to browsers.", message.id, message.type)
            return self.gap(wire, Gap(start=self._cursor_of(message.seq - 1), end=cursor))
        if wire is Wire.EVENTS:
            return b"id: %b\ndata: %b\n\n" % (cursor.encode(), data)
        head = b'{"jsonrpc":"2.0","method":"bus.message","params":{"message":'
        return text_frame(b'%b%b,"cursor":"%b"}}' % (head, data, cursor.encode()))

    def gap(self, wire: Wire, gap: Gap) -> bytes:
        """Return the bytes that tell of *gap*."""
        params = {"from": gap.start, "to": gap.end}
        if wire is Wire.EVENTS:
            return b"event: gap\nid: %b\ndata: %b\n\n" % (gap.end.encode(), encode(params))
        return notification("bus.gap", params)


def _frame(start: int, payload: bytes) -> bytes:
    size = len(payload)
    if size <= _SHORT:
        return b"%c%c%b" % (start, size, payload)
    if size <= _MEDIUM:
        return struct.pack("!BBH", start, 126, size) + payload
    return struct.pack("!BBQ", start, 127, size) + payload
