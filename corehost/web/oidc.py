"""Ask an OpenID provider who somebody is, by the code flow of OpenID Connect Core 1.0 with PKCE, state and nonce."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from corehost.contract.errors import LateError, SettingsError, UnauthenticatedError
from corehost.settings import is_loopback

_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by the provider's key alone: never ``none``, nor one by a secret that others know."""
_SECONDS: Final = 10.0
_LEEWAY: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcOptions:
    """A provider and what its words mean here.

    ``roles`` gives roles by a value of the claim ``role_claim``; ``*`` is for everybody whom the provider knows.
    """

    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    name_claim: str = "preferred_username"
    role_claim: str = "groups"
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def roles_for(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the roles that somebody with these claims has."""
        given = claims.get(self.role_claim, ())
        values = {"*", *([given] if isinstance(given, str) else map(str, given if isinstance(given, list) else ()))}
        return tuple(sorted({role for value in values for role in self.roles.get(value, ())}))


def role_map(pairs: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return what ``value=role`` pairs say, by value."""
    found: dict[str, tuple[str, ...]] = {}
    for text in pairs:
        value, _, role = text.rpartition("=")
        found[value] = (*found.get(value, ()), role)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A sign-in that was begun: where the browser goes, and what must be known again when it comes back."""

    url: str
    state: str
    nonce: str
    verifier: str


class OidcProvider:
    """One provider; its addresses and keys are read when the first person comes, and read anew for a key unknown.

    Raises ``SettingsError`` if the extra ``corehost[oidc]`` is not installed.
    """

    def __init__(self, options: OidcOptions, *, redirect_uri: str) -> None:
        self._options = options
        self._redirect_uri = redirect_uri
        self._lock = threading.Lock()
        self._known: dict[str, Any] | None = None
        _require_https(options.issuer, "The issuer")
        try:
            import authlib.integrations.requests_client  # noqa: F401, PLC0415  # an extra, and only where it is set
        except ImportError as error:
            raise SettingsError(
                "Signing in with an OpenID provider needs more packages: pip install 'corehost[oidc]'."
            ) from error

    def begin(self) -> Begun:
        """Return where to send a browser; raises ``LateError`` if the provider does not answer."""
        nonce, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        with self._client() as client:
            url, state = client.create_authorization_url(
                self._configuration()["authorization_endpoint"], code_verifier=verifier, nonce=nonce
            )
        return Begun(url=url, state=state, nonce=nonce, verifier=verifier)

    def finish(self, begun: Begun, answer: str) -> dict[str, Any]:
        """Return the claims of who came back with *answer*, the whole address that the provider sent them to.

        Raises ``UnauthenticatedError`` for whatever does not fit, ``LateError`` if the provider does not answer.
        """
        from authlib.common.errors import AuthlibBaseError  # noqa: PLC0415  # an extra
        from joserfc.errors import JoseError  # noqa: PLC0415

        try:
            token = self._fetch(begun, answer)
            return self._checked(str(token["id_token"]), begun.nonce)
        except (AuthlibBaseError, JoseError, KeyError, ValueError) as error:
            raise UnauthenticatedError(f"The provider's answer cannot be believed: {type(error).__name__}.") from error

    def _fetch(self, begun: Begun, answer: str) -> Mapping[str, Any]:
        import requests  # noqa: PLC0415  # an extra

        endpoint = self._configuration()["token_endpoint"]
        try:
            with self._client(state=begun.state) as client:
                token: Mapping[str, Any] = client.fetch_token(
                    endpoint,
                    authorization_response=answer,
                    code_verifier=begun.verifier,
                    timeout=_SECONDS,
                    allow_redirects=False,
                )
                return token
        except requests.RequestException as error:
            raise LateError("The OpenID provider does not answer. Try again.") from error

    def _checked(self, id_token: str, nonce: str) -> dict[str, Any]:
        """Return the claims of an ID token that is meant for us, by this provider, for this sign-in, and now."""
        from joserfc import jwt  # noqa: PLC0415  # an extra
        from joserfc.errors import JoseError  # noqa: PLC0415

        try:
            decoded = jwt.decode(id_token, self._keys(fresh=False), algorithms=list(_ALGORITHMS))
        except (JoseError, ValueError):
            decoded = jwt.decode(id_token, self._keys(fresh=True), algorithms=list(_ALGORITHMS))  # keys are rotated
        claims = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY,
            iss={"essential": True, "value": self._options.issuer},
            aud={"essential": True, "value": self._options.client_id},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        claims.validate(decoded.claims)
        if decoded.claims.get("azp", self._options.client_id) != self._options.client_id:
            raise ValueError("the token was issued to another client")
        return dict(decoded.claims)

    def _configuration(self) -> dict[str, Any]:
        with self._lock:
            if self._known is None:
                self._known = self._discovered()
            return self._known

    def _discovered(self) -> dict[str, Any]:
        found = self._get(f"{self._options.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self._options.issuer:
            raise UnauthenticatedError(
                f"The provider calls itself {str(found.get('issuer'))[:200]!r}. Set --oidc-issuer to exactly that."
            )
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            _require_https(str(found.get(name)), f"The provider's {name}")
        return found

    def _keys(self, *, fresh: bool) -> Any:
        from joserfc.jwk import KeySet  # noqa: PLC0415  # an extra

        known = self._configuration()
        if fresh or "keys" not in known:
            known["keys"] = KeySet.import_key_set(self._get(known["jwks_uri"]))  # type: ignore[arg-type]  # JSON
        return known["keys"]

    def _get(self, url: str) -> dict[str, Any]:
        import requests  # noqa: PLC0415  # an extra

        try:
            answer = requests.get(url, timeout=_SECONDS, allow_redirects=False)
            answer.raise_for_status()
            found = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise LateError("The OpenID provider does not answer. Try again.") from error
        return found if isinstance(found, dict) else {}

    def _client(self, **values: Any) -> Any:
        from authlib.integrations.requests_client import OAuth2Session  # noqa: PLC0415  # an extra

        return OAuth2Session(
            self._options.client_id,
            self._options.client_secret,
            scope="openid profile email",
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            token_endpoint_auth_method="client_secret_basic" if self._options.client_secret else "none",
            **values,
        )


def _require_https(url: str, what: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise SettingsError(f"{what} {url[:200]!r} must be an https address: who signs in must not be overheard.")
