"""Find out who sends a request, by token, session cookie or a plugin's word."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from werkzeug.http import parse_cookie

from corehost.contract.errors import UnauthenticatedError
from corehost.contract.permissions import ALL, PermissionSet
from corehost.contract.user import UserContext
from corehost.state.people.people import People
from corehost.state.people.tokens import PREFIX
from corehost.web.caller import Caller
from corehost.web.origins import EdgeAddress, Origins
from corehost.web.remembered import Sessions

ADMINISTRATOR: Final = UserContext(id="admin", roles=("administrator",), permissions=PermissionSet({ALL}))
"""Who the token of this run stands for: whoever started the host, whatever the accounts say."""

Authenticate = Callable[[Mapping[str, str]], tuple[str, UserContext] | None]
"""Asks the plugins who sends a request with these lower-case headers; returns the plugin's id and the user."""


class SessionCookie:
    """The cookie that holds a session's secret; it lasts as long as the session may, *lifetime* seconds.

    Its name holds the port, as browsers share cookies between all ports of a machine. Under https it is a
    ``__Host-`` cookie, which no other host and no plain http can set (RFC 6265bis, 4.1.3.2).
    """

    def __init__(
        self, address: EdgeAddress, origins: Origins, *, lifetime: float = 14 * 24 * 3600, name: str = "corehost"
    ) -> None:
        self._plain = f"{name}-{address.port}"
        self._secure = f"__Host-{name}"
        self._origins = origins
        self._lifetime = int(lifetime)

    def read(self, environ: Mapping[str, Any]) -> str | None:
        """Return the secret that the request carries, if any."""
        secret: str | None = parse_cookie(environ.get("HTTP_COOKIE")).get(self._name(environ))
        return secret

    def written(self, environ: Mapping[str, Any], secret: str | None, *, same_site: str = "Lax") -> str:
        """Return the ``Set-Cookie`` value for *secret*; ``None`` deletes the cookie."""
        secure = "; Secure" if self._is_secure(environ) else ""
        age = 0 if secret is None else self._lifetime
        return f"{self._name(environ)}={secret or ''}; Path=/; Max-Age={age}; HttpOnly; SameSite={same_site}{secure}"

    def _name(self, environ: Mapping[str, Any]) -> str:
        return self._secure if self._is_secure(environ) else self._plain

    def _is_secure(self, environ: Mapping[str, Any]) -> bool:
        return self._origins.is_secure(environ.get("HTTP_HOST", ""))


class Authenticator:
    """Names the caller of a request."""

    def __init__(
        self,
        *,
        people: People,
        sessions: Sessions,
        cookie: SessionCookie,
        token: str | None,
        authenticate: Authenticate,
    ) -> None:
        self._people = people
        self._sessions = sessions
        self._cookie = cookie
        self._token_hash = _hash(token) if token else None
        self._authenticate = authenticate

    def identify(self, environ: Mapping[str, Any]) -> Caller | None:
        """Return who sends the request, ``None`` for nobody known.

        Raises ``UnauthenticatedError`` for a bearer token that nobody knows: a cookie must not stand in for it.
        """
        authorization: str = environ.get("HTTP_AUTHORIZATION", "")
        scheme, _, credential = authorization.partition(" ")
        is_bearer = scheme.lower() == "bearer"
        if is_bearer and (caller := self._by_token(credential.strip())) is not None:
            return caller
        found = self._authenticate(dict(_headers(environ)))
        if found is not None:
            plugin_id, user = found
            # What a browser sends by itself, such as a proxy's header, needs the CSRF token; a chosen header does not.
            return Caller(user=user, session=None, via="token" if authorization else "cookie", plugin=plugin_id)
        if is_bearer:
            raise UnauthenticatedError(
                "The bearer token is unknown, revoked or expired. Make another with 'corehost token create'."
            )
        return self._by_cookie(environ)

    def _by_token(self, token: str) -> Caller | None:
        # Hashes of equal length are compared, so that the time tells neither the token nor its length.
        if self._token_hash is not None and hmac.compare_digest(_hash(token), self._token_hash):
            return Caller(user=ADMINISTRATOR, session=None, via="token")
        mark = self._people.changes.count
        found = self._people.tokens.bearer(token) if token.startswith(PREFIX) else None
        return None if found is None else Caller(user=found[1], session=None, via="token", token=found[0], mark=mark)

    def _by_cookie(self, environ: Mapping[str, Any]) -> Caller | None:
        secret, mark = self._cookie.read(environ), self._people.changes.count
        user_id = self._sessions.session_user(secret) if secret else None
        user = self._people.context(user_id) if user_id else None
        if user is None or secret is None:
            return None
        return Caller(user=user, session=self._sessions.session_id(secret), via="cookie", mark=mark)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _headers(environ: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            yield key[5:].replace("_", "-").lower(), value
