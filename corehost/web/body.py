"""Hold the bodies of requests to their limit, also those that do not say how long they are."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, Any

from corehost.contract.errors import MalformedError, TooLargeError

_CHUNK = 65_536


def check_length(environ: dict[str, Any], limit: int) -> None:
    """Raise ``TooLargeError`` for a body that says it is over *limit* bytes, and watch one that does not say."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        raise MalformedError("Content-Length is no number.")
    if len(length) > 18 or int(length) > limit:
        raise too_large(limit)
    if "HTTP_TRANSFER_ENCODING" in environ:
        environ["wsgi.input"] = CappedInput(environ["wsgi.input"], limit)


def buffer_body(environ: dict[str, Any]) -> IO[bytes]:
    """Put a body that can be read twice in the place of the socket's, and return it."""
    length = environ.get("CONTENT_LENGTH")
    source, body = environ["wsgi.input"], io.BytesIO()
    left = int(length) if length else None
    while left is None or left > 0:
        chunk = source.read(_CHUNK if left is None else min(left, _CHUNK))
        if not chunk:
            break
        body.write(chunk)
        left = None if left is None else left - len(chunk)
    environ["CONTENT_LENGTH"] = str(body.tell())
    environ["wsgi.input"] = body
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    body.seek(0)
    return body


def too_large(limit: int) -> TooLargeError:
    """Return the error for a body over *limit*."""
    return TooLargeError(f"The body is over {limit:,} bytes. Send less.")


class CappedInput:
    """A WSGI input that raises ``TooLargeError`` once more than *limit* bytes were read.

    werkzeug's own limit ends such a body silently when it is read in one go.
    """

    def __init__(self, source: Any, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        """Read up to *size* bytes, all for less than 0."""
        room = self._limit - self._read + 1
        return self._count(self._source.read(room if size < 0 else min(size, room)))

    def readline(self, size: int = -1) -> bytes:
        """Read one line."""
        room = self._limit - self._read + 1
        return self._count(self._source.readline(room if size < 0 else min(size, room)))

    def readlines(self, _hint: int = -1) -> list[bytes]:
        """Read all lines."""
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def _count(self, data: bytes) -> bytes:
        self._read += len(data)
        if self._read > self._limit:
            raise too_large(self._limit)
        return data
