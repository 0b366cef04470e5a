"""Take a request's TCP connection over from the web server (gunicorn gthread, werkzeug)."""

from __future__ import annotations

import base64
import binascii
import functools
import os
import socket
import ssl
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

Environ = MutableMapping[str, Any]

_READ_AHEAD = 65_536
_corpses: dict[int, int] = {}  # by process, because a forked child must not share its parent's


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a connection cannot be taken over, as an HTTP status, a text, and headers that the answer needs."""

    status: int
    text: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seized:
    """A connection that is ours now, with what the client had sent ahead of our answer."""

    sock: socket.socket
    early: bytes


def refusal(environ: Environ, *, full: bool) -> Refusal | None:
    """Return why the connection of this request cannot be taken over, before a byte was sent; ``None`` if it can.

    *full* says that the relay holds as many sockets as it may.
    """
    sock = _socket_of(environ)
    if not isinstance(sock, socket.socket):
        return _refuse(501, "This server gives no access to its sockets. Run 'corehost serve'.")
    if isinstance(sock, ssl.SSLSocket) or environ.get("HTTP_VERSION") == "2":
        return _refuse(501, "Live connections need plain HTTP/1.1 here. Let a proxy in front end TLS and HTTP/2.")
    if environ.get("HTTP_TRANSFER_ENCODING") or environ.get("CONTENT_LENGTH", "0") not in ("", "0"):
        return _refuse(400, "A request for a live connection has no body.")
    if full:
        return _refuse(503, "As many live connections are open as the host may hold. Try again later.", retry="5")
    return None


def handshake_refusal(environ: Environ) -> Refusal | None:
    """Return what is wrong with a WebSocket handshake (RFC 6455, section 4.2.1), ``None`` if nothing is.

    Takes the offer of extensions out of *environ*, so that nobody agrees to permessage-deflate: it costs 100 KB
    a connection, and nothing would bound a message while it inflates.
    """
    environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":
        return _refuse(426, "Only version 13 of the WebSocket protocol is spoken here.", version="13")
    if not _is_key(environ.get("HTTP_SEC_WEBSOCKET_KEY", "")):
        return _refuse(400, "Sec-WebSocket-Key must be 16 bytes in base64.")
    return None


def seize(environ: Environ) -> Seized:
    """Take the connection from the server, which goes on with a dead socket under the same descriptor.

    A plain ``dup`` would not do: the server shuts the connection itself down when the request ends.
    """
    theirs: socket.socket = _socket_of(environ)
    read_ahead = _read_ahead_of(environ)
    ours = theirs.dup()
    try:
        os.dup2(_corpse(), theirs.fileno(), inheritable=False)
        early = read_ahead()  # only now can it not wait for the client any more
        ours.setblocking(False)
    except BaseException:
        ours.close()
        raise
    return Seized(sock=ours, early=early)


def _socket_of(environ: Environ) -> Any:
    return environ.get("werkzeug.socket") or environ.get("gunicorn.socket")


def _read_ahead_of(environ: Environ) -> Callable[[], bytes]:
    """Return what yields the bytes that the server read beyond the request."""
    stream = environ["wsgi.input"]
    if "werkzeug.socket" in environ:
        return functools.partial(stream.read, _READ_AHEAD)
    take: Callable[[], bytes] = stream.reader.unreader.take_buffered
    return take


def _corpse() -> int:
    """Return a socket whose peer is gone: reading ends at once, writing fails, closing does not linger."""
    pid = os.getpid()
    if pid not in _corpses:
        dead, peer = socket.socketpair()
        peer.close()  # left open, gunicorn would wait 2 s for it at each close
        _corpses.setdefault(pid, dead.detach())
    return _corpses[pid]


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def _refuse(status: int, text: str, *, retry: str | None = None, version: str | None = None) -> Refusal:
    headers = {"Retry-After": retry, "Sec-WebSocket-Version": version}
    return Refusal(status=status, text=text, headers={name: value for name, value in headers.items() if value})
