"""Read and write whole values over a stream socket: a length of four bytes, then msgpack."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from corehost.contract.errors import InvalidError, TooLargeError

MAX_FRAME: Final = 1_000_000
_CHUNK: Final = 65_536
_HEAD: Final = struct.Struct(">I")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class BrokenFrameError(Exception):
    """What came is no frame: the other side is broken or hostile."""


def pack(value: Any, *, what: str = "This value") -> bytes:
    """Return the frame of *value*; raises ``InvalidError`` for what cannot be sent, ``TooLargeError``."""
    try:
        data = _encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidError(f"{what} cannot be sent to another process: {error}.") from error
    if len(data) > MAX_FRAME:
        raise TooLargeError(f"{what} has {len(data)} bytes; at most {MAX_FRAME} go from process to process.")
    return _HEAD.pack(len(data)) + data


class Frames:
    """The frames that come over a socket; one thread at a time reads them."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._held = bytearray()

    def next(self) -> Any:
        """Wait for the next value; raises ``EOFError`` at the end, ``BrokenFrameError``, ``OSError``."""
        while (frame := self._whole()) is None:
            self._fill(0)
        return _unpacked(frame)

    def arrived(self) -> Iterator[Any]:
        """Yield the values that are here by now, without waiting; raises as ``next`` does."""
        try:
            self._fill(socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        while (frame := self._whole()) is not None:
            yield _unpacked(frame)

    def _fill(self, flags: int) -> None:
        chunk = self._sock.recv(_CHUNK, flags)
        if not chunk:
            raise EOFError
        self._held += chunk

    def _whole(self) -> bytes | None:
        """Take the next frame out of what is held, if it is whole."""
        held = self._held
        if len(held) < _HEAD.size:
            return None
        (size,) = _HEAD.unpack_from(held)
        if size > MAX_FRAME:
            raise BrokenFrameError(f"a frame of {size} bytes")
        end = _HEAD.size + size
        if len(held) < end:
            return None
        frame = bytes(memoryview(held)[_HEAD.size : end])
        del held[:end]
        return frame


def _unpacked(frame: bytes) -> Any:
    try:
        return _decode(frame)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BrokenFrameError(str(error)) from error
