"""How a page is asked for in a plugin's own process: one connection a request, in frames.

The host sends a head, then the body in pieces, then an empty piece; the worker answers in the same way. It is no HTTP:
there is nothing in it that two readers could understand differently.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from typing import Any, Final

from corehost.plugins.isolation.frames import BrokenFrameError, Frames, pack

PIECE: Final = 65_536


def send_body(connection: socket.socket, pieces: Iterable[bytes]) -> None:
    """Send a body, in pieces of a size that one frame holds, and its end."""
    for piece in pieces:
        for start in range(0, len(piece), PIECE):
            connection.sendall(pack(piece[start : start + PIECE]))
    connection.sendall(pack(b""))


def read_body(frames: Frames) -> Iterator[bytes]:
    """Yield the pieces of a body; raises ``BrokenFrameError``, ``EOFError`` if it was cut off, ``OSError``."""
    while piece := _piece(frames.next()):
        yield piece


def _piece(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise BrokenFrameError(f"a {type(value).__name__} in a body")
    return value
