"""Give every response the headers that keep a browser strict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# `data:` because Bootstrap's CSS draws its arrows and marks from such URLs.
_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

# `same-origin` and not `no-referrer`: under the latter browsers send "Origin: null" with our own forms.
_ALWAYS = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)
_SHARED = ("Cross-Origin-Resource-Policy", "cross-origin")
_FOR_ALL = tuple(_SHARED if header[0] == _SHARED[0] else header for header in _ALWAYS)
_ADDITIVE = frozenset({"content-security-policy"})
"""An app may add a policy of its own; browsers keep to all of them, so it can only be stricter."""


def hardened(start_response: Callable[..., Any], *, is_for_all: bool = False) -> Callable[..., Any]:
    """Return *start_response* with our headers added; an app cannot leave them out or weaken them.

    What *is_for_all* may be used by pages of other origins: those of isolated plugins have none.
    """

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        ours = {name.lower() for name, _ in _ALWAYS} - _ADDITIVE
        kept = [(name, value) for name, value in headers if name.lower() not in ours]
        if all(name.lower() != "cache-control" for name, _ in kept):
            kept.append(("Cache-Control", "no-store"))  # pages show what only this visitor may see
        kept.extend(_FOR_ALL if is_for_all else _ALWAYS)
        return start_response(status, kept, exc_info) if exc_info else start_response(status, kept)

    return start
