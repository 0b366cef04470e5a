"""Who sent the request at hand, as the edge found out."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any, Literal

from corehost.contract.errors import UnauthenticatedError
from corehost.contract.user import UserContext

_KEY = "corehost.caller"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A known user, and how they proved who they are.

    ``session`` is the public id of the browser session, ``token`` that of the API token, ``plugin`` the id of the
    plugin that vouches for them; all are ``None`` for the token of this run. ``via`` tells whether a browser sends
    the proof by itself. ``mark`` counts the changes of people until they were looked up.
    """

    user: UserContext
    session: str | None
    via: Literal["cookie", "token"]
    token: str | None = None
    plugin: str | None = None
    mark: int = field(default=0, compare=False)


def caller_of(environ: MutableMapping[str, Any]) -> Caller | None:
    """Return who sent the request with this WSGI environment, ``None`` for nobody known."""
    caller: Caller | None = environ.get(_KEY)
    return caller


def require_caller(environ: MutableMapping[str, Any]) -> Caller:
    """Return who sent the request; raises ``UnauthenticatedError``."""
    caller = caller_of(environ)
    if caller is None:
        raise UnauthenticatedError("Sign in first: open the sign-in link, or send 'Authorization: Bearer <token>'.")
    return caller


def set_caller(environ: MutableMapping[str, Any], caller: Caller | None) -> None:
    """Note who sent the request; called once, by the gate."""
    environ[_KEY] = caller
