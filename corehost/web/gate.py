"""Stand before every app: nothing gets in whose way, size, origin or sender is not right."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from corehost.contract.errors import (
    CorehostError,
    MalformedError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from corehost.messaging.trail import Trail, entered
from corehost.web.auth import Authenticator
from corehost.web.body import check_length
from corehost.web.caller import Caller, caller_of, set_caller
from corehost.web.csrf import Csrf
from corehost.web.headers import hardened
from corehost.web.origins import Origins
from corehost.web.paths import is_below, normal_path
from corehost.web.proxies import TrustedProxies
from corehost.web.public import is_for_all, is_for_strangers

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

PAGE_LIMIT = 10_000_000
API_LIMIT = 1_000_000
ARCHIVE_LIMIT = 10_000_000
REFUSAL = "corehost.refusal"
"""Key of the environment under which the gate tells the host's app why it refuses; the app answers with that."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_ARCHIVES = re.compile(r"/api/plugins(/[^/]+/version)?")
_METHOD = re.compile(r"[A-Z]{1,20}")


class Gate:
    """The outermost WSGI callable.

    *inside* serves who is let in, *refusals* (the host's own app) answers who is not.
    """

    def __init__(
        self,
        *,
        inside: Wsgi,
        refusals: Wsgi,
        origins: Origins,
        authenticator: Authenticator,
        csrf: Csrf,
        proxies: TrustedProxies | None = None,
    ) -> None:
        self._inside = inside
        self._refusals = refusals
        self._origins = origins
        self._authenticator = authenticator
        self._csrf = csrf
        self._proxies = proxies or TrustedProxies(())

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request."""
        start = hardened(start_response, is_for_all=is_for_all(environ.get("PATH_INFO", "")))
        set_caller(environ, None)
        self._proxies.apply(environ)
        app = self._inside
        try:
            self._admit(environ)
        except CorehostError as error:
            environ[REFUSAL] = error
            app = self._refusals
        with entered(_trail(caller_of(environ))):
            return app(environ, start)

    def _admit(self, environ: dict[str, Any]) -> None:
        """Check the request and note who sends it; raises the error to answer with."""
        path = self._check_path(environ)
        self._check_host(environ)
        check_length(environ, _limit_of(path))
        self._check_upgrade(environ)
        if is_for_all(path):
            return
        is_open = is_for_strangers(path)
        caller = self._authenticator.identify(environ)
        self._check_origin(environ, caller, is_open=is_open)
        if caller is None and not is_open:
            raise UnauthenticatedError("Sign in first: open the sign-in link, or send 'Authorization: Bearer <token>'.")
        if caller is not None and caller.via == "cookie" and _changes(environ) and not is_open:
            self._csrf.check(environ, caller)
        set_caller(environ, caller)

    def _check_path(self, environ: dict[str, Any]) -> str:
        if not _METHOD.fullmatch(environ["REQUEST_METHOD"]):
            raise MalformedError("The method is not one of HTTP's.")
        raw = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
        path = normal_path(environ.get("PATH_INFO", ""), raw)
        environ["PATH_INFO"] = path  # what was checked is what is routed
        return path

    def _check_host(self, environ: dict[str, Any]) -> None:
        host = environ.get("HTTP_HOST", "")
        if not self._origins.knows(host):
            raise MalformedError(f"This host does not go by the name {host[:200]!r}. Add it with --allowed-host.")

    def _check_upgrade(self, environ: dict[str, Any]) -> None:
        """Refuse a socket that another site's page opens: no CSRF token can ride on a handshake."""
        if "HTTP_UPGRADE" not in environ:
            return
        origin, by_token = environ.get("HTTP_ORIGIN"), "HTTP_AUTHORIZATION" in environ
        if not (self._origins.owns(origin) if origin else by_token):
            raise _foreign(origin)

    def _check_origin(self, environ: dict[str, Any], caller: Caller | None, *, is_open: bool) -> None:
        if caller is not None and caller.via == "token":
            return
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and not self._origins.owns(origin):
            raise _foreign(origin)
        # Signing in rides on nothing, so a program without an Origin may do it.
        if origin is None and _changes(environ) and caller is not None and not is_open:
            raise _foreign(origin)


def _limit_of(path: str) -> int:
    """Return how many bytes a body may have: what takes a plugin's archive takes more than the rest of the API."""
    if _ARCHIVES.fullmatch(path):
        return ARCHIVE_LIMIT
    return API_LIMIT if is_below(path, "/api") else PAGE_LIMIT


def _changes(environ: dict[str, Any]) -> bool:
    return environ["REQUEST_METHOD"] not in _SAFE_METHODS


def _foreign(origin: str | None) -> PermissionDeniedError:
    return PermissionDeniedError(f"The request comes from {origin or 'a page that does not name its origin'}, not us.")


def _trail(caller: Caller | None) -> Trail:
    return Trail() if caller is None else Trail(user=caller.user, session=caller.session)
