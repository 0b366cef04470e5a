"""Read and write whole values over a stream socket: a length of four bytes, then msgpack."""

from __future__ import annotations

import socket
import struct
from typing import Any, Final

import msgspec

from corehost.contract.errors import InvalidError, TooLargeError

MAX_FRAME: Final = 1_000_000
_CHUNK: Final = 65_536
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder()


class BrokenFrameError(Exception):
    """What came is no frame: the other side is broken or hostile."""


def pack(value: Any, *, what: str = "This value") -> bytes:
    """Return the frame of *value*; raises ``InvalidError`` for what cannot be sent, ``TooLargeError``."""
    try:
        data = _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidError(f"{what} cannot be sent to another process: {error}.") from error
    if len(data) > MAX_FRAME:
        raise TooLargeError(f"{what} has {len(data)} bytes; at most {MAX_FRAME} go from process to process.")
    return struct.pack(">I", len(data)) + data


class Frames:
    """The frames that come over a socket; one thread reads them."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._held = bytearray()

    def next(self) -> Any:
        """Return the next value; raises ``EOFError`` at the end, ``BrokenFrameError``, ``OSError``."""
        self._fill(4)
        size = int.from_bytes(self._held[:4], "big")
        if size > MAX_FRAME:
            raise BrokenFrameError(f"a frame of {size} bytes")
        self._fill(4 + size)
        data = bytes(self._held[4 : 4 + size])
        del self._held[: 4 + size]
        try:
            return _decoder.decode(data)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise BrokenFrameError(str(error)) from error

    def _fill(self, size: int) -> None:
        while len(self._held) < size:
            chunk = self._sock.recv(_CHUNK)
            if not chunk:
                raise EOFError
            self._held += chunk
