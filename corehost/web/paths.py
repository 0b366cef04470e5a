"""Bring a request's path into the one form that checks and routing share."""

from __future__ import annotations

import re

from corehost.contract.errors import MalformedError

_HIDDEN = re.compile(r"%(2f|5c|00)", re.IGNORECASE)
"""Encoded ``/``, ``\\`` and NUL: decoded, they would change what a path means to whoever decodes later."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")
_SLASHES = re.compile(r"/{2,}")
_MAX_NEXT = 2_000


def normal_path(path_info: str, raw_uri: str) -> str:
    """Return the WSGI path *path_info* without doubled slashes and without a slash at its end.

    *raw_uri* is the request line's target, undecoded. Raises ``MalformedError`` for a path that two readers could
    understand differently: encoded separators, dot segments, control characters, bytes that are no UTF-8.
    """
    if _HIDDEN.search(raw_uri.partition("?")[0]) or _CONTROL.search(path_info):
        raise MalformedError("The path holds an encoded slash, a backslash or a control character. Leave it out.")
    try:
        path_info.encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise MalformedError("The path is not valid UTF-8. Encode it as UTF-8 first.") from None
    path = _SLASHES.sub("/", path_info)
    # Servers that know path parameters read "..;x" as "..".
    if any(segment.partition(";")[0] in (".", "..") for segment in path.split("/")):
        raise MalformedError("The path holds '.' or '..'. Send it resolved.")
    return path.rstrip("/") or "/"


def first_segment(path: str) -> str:
    """Return what stands between the first and the second slash of *path*."""
    return path[1:].partition("/")[0]


def is_below(path: str, base: str) -> bool:
    """Tell whether *path* is *base* or lies below it, on a segment's border."""
    return path == base or path.startswith(f"{base}/")


def local_target(value: str | None) -> str:
    """Return *value* if it is a path (and query) on this host, else ``/``; for redirects that a link may steer.

    Browsers drop tabs and newlines and read a backslash as a slash, so ``/<tab>/evil.example`` would leave the host.
    """
    if not value or not value.startswith("/") or value.startswith("//") or len(value) > _MAX_NEXT:
        return "/"
    return "/" if _CONTROL.search(value) else value
