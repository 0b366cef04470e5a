"""Find out who sends a request, by token, session cookie or a plugin's word, and sign people in and out."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

from werkzeug.http import parse_cookie

from corehost.contract.errors import UnauthenticatedError
from corehost.contract.permissions import ALL, PermissionSet
from corehost.contract.user import UserContext
from corehost.web.caller import Caller
from corehost.web.origins import EdgeAddress, Origins

ADMINISTRATOR: Final = UserContext(id="admin", roles=("administrator",), permissions=PermissionSet({ALL}))
_CODE_SECONDS = 900.0
_SESSION_SECONDS = 14 * 24 * 3600

Authenticate = Callable[[Mapping[str, str]], UserContext | None]
"""Asks the plugins who sends a request with these lower-case headers."""


class Sessions(Protocol):
    """Where sessions and used codes are kept."""

    def open_session(self, user_id: str) -> str: ...
    def session_user(self, secret: str) -> str | None: ...
    def end_session(self, secret: str) -> None: ...
    def use_code(self, code_hash: str) -> bool: ...
    def session_id(self, secret: str) -> str: ...


class RememberedSessions:
    """Sessions whose user is looked up once in a few seconds: a query for each request would cost half of it."""

    def __init__(self, sessions: Sessions, *, seconds: float = 5.0, most: int = 1_024) -> None:
        self._sessions = sessions
        self._seconds = seconds
        self._most = most
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, float]] = {}
        self._ends = 0

    def session_user(self, secret: str) -> str | None:
        """Return whose session this is."""
        known = self._known.get(secret)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        ends = self._ends
        user = self._sessions.session_user(secret)
        with self._lock:
            # A session that ended while it was looked up must not come back.
            if user is not None and ends == self._ends:
                if len(self._known) >= self._most:
                    self._known.clear()
                self._known[secret] = (user, time.monotonic() + self._seconds)
        return user

    def end_session(self, secret: str) -> None:
        """End a session, from this moment on."""
        self._sessions.end_session(secret)
        with self._lock:
            self._ends += 1
            self._known.pop(secret, None)

    def open_session(self, user_id: str) -> str:
        """Begin a session and return its secret."""
        return self._sessions.open_session(user_id)

    def use_code(self, code_hash: str) -> bool:
        """Use a sign-in code up; return whether it was still unused."""
        return self._sessions.use_code(code_hash)

    def session_id(self, secret: str) -> str:
        """Return the public id of a session."""
        return self._sessions.session_id(secret)


class SignIn:
    """One-use codes that become sessions."""

    def __init__(self, sessions: Sessions, *, code: str | None) -> None:
        self._sessions = sessions
        self._lock = threading.Lock()
        # The code of the printed link stays good until it is used; later ones end by themselves.
        self._codes: dict[str, float] = {_hash(code): float("inf")} if code else {}

    def new_code(self) -> str:
        """Return a further code, good once and for a quarter of an hour."""
        code = secrets.token_urlsafe(32)
        now = time.monotonic()
        with self._lock:
            self._codes = {known: end for known, end in self._codes.items() if end > now}
            self._codes[_hash(code)] = now + _CODE_SECONDS
        return code

    def open(self, code: str) -> str:
        """Use up *code* and return the secret of a new session; raises ``UnauthenticatedError``."""
        code_hash = _hash(code)
        with self._lock:
            good = self._codes.get(code_hash, 0.0) > time.monotonic()
        if not good or not self._sessions.use_code(code_hash):
            raise UnauthenticatedError("This sign-in link has been used, or it is too old. Ask the host for a new one.")
        return self._sessions.open_session(ADMINISTRATOR.id)

    def end(self, secret: str) -> None:
        """End the session with this secret."""
        self._sessions.end_session(secret)


class SessionCookie:
    """The cookie that holds a session's secret.

    Its name holds the port, as browsers share cookies between all ports of a machine. Under https it is a
    ``__Host-`` cookie, which no other host and no plain http can set (RFC 6265bis, 4.1.3.2).
    """

    def __init__(self, address: EdgeAddress, origins: Origins) -> None:
        self._plain = f"corehost-{address.port}"
        self._origins = origins

    def read(self, environ: Mapping[str, Any]) -> str | None:
        """Return the secret that the request carries, if any."""
        secret: str | None = parse_cookie(environ.get("HTTP_COOKIE")).get(self._name(environ))
        return secret

    def written(self, environ: Mapping[str, Any], secret: str | None) -> str:
        """Return the ``Set-Cookie`` value for *secret*; ``None`` deletes the cookie."""
        secure = "; Secure" if self._is_secure(environ) else ""
        age = 0 if secret is None else _SESSION_SECONDS
        return f"{self._name(environ)}={secret or ''}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}"

    def _name(self, environ: Mapping[str, Any]) -> str:
        return "__Host-corehost" if self._is_secure(environ) else self._plain

    def _is_secure(self, environ: Mapping[str, Any]) -> bool:
        return self._origins.is_secure(environ.get("HTTP_HOST", ""))


class Authenticator:
    """Names the caller of a request."""

    def __init__(
        self, *, sessions: Sessions, cookie: SessionCookie, token: str | None, authenticate: Authenticate
    ) -> None:
        self._sessions = sessions
        self._cookie = cookie
        self._token_hash = _hash(token) if token else None
        self._authenticate = authenticate

    def identify(self, environ: Mapping[str, Any]) -> Caller | None:
        """Return who sends the request, ``None`` for nobody known.

        Raises ``UnauthenticatedError`` for a bearer token that nobody knows: a cookie must not stand in for it.
        """
        authorization: str = environ.get("HTTP_AUTHORIZATION", "")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and self._is_token(token.strip()):
            return Caller(user=ADMINISTRATOR, session=None, via="token")
        user = self._authenticate(dict(_headers(environ)))
        if user is not None:
            # What a browser sends by itself, such as a proxy's header, needs the CSRF token; a chosen header does not.
            return Caller(user=user, session=None, via="token" if authorization else "cookie")
        if scheme.lower() == "bearer":
            raise UnauthenticatedError("The bearer token is unknown. Send the token of this host.")
        return self._by_cookie(environ)

    def _by_cookie(self, environ: Mapping[str, Any]) -> Caller | None:
        secret = self._cookie.read(environ)
        if not secret or self._sessions.session_user(secret) != ADMINISTRATOR.id:
            return None
        return Caller(user=ADMINISTRATOR, session=self._sessions.session_id(secret), via="cookie")

    def _is_token(self, token: str) -> bool:
        # Hashes of equal length are compared, so that the time tells neither the token nor its length.
        return self._token_hash is not None and hmac.compare_digest(_hash(token), self._token_hash)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _headers(environ: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            yield key[5:].replace("_", "-").lower(), value
