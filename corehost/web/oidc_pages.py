"""Sign people in by the word of an OpenID provider."""

from __future__ import annotations

import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import structlog
from flask import Blueprint, Response, redirect, request

from corehost.contract.errors import ConflictError, CorehostError, SettingsError, UnauthenticatedError
from corehost.contract.permissions import ALL, PermissionSet
from corehost.contract.user import UserContext
from corehost.state.people.people import People
from corehost.state.secrets import SecretBox
from corehost.web.auth import SessionCookie
from corehost.web.entrance import Entrance
from corehost.web.oidc import Begun, OidcOptions, OidcProvider
from corehost.web.paths import local_target
from corehost.web.signin import SignInPages, Way

BACK: Final = "/signin/oidc/back"
SECONDS: Final = 600.0
"""How long a person may take at the provider."""
_PROVIDER: Final = UserContext(id="oidc", permissions=PermissionSet({ALL}))
"""In whose name accounts are made and roles given: the operator has said which claims give which."""


class OidcPages:
    """``/signin/oidc``, which leads to the provider, and ``/signin/oidc/back``, to which the provider leads.

    What was begun is kept in the browser, sealed: only the browser that began a sign-in can end it, and once.
    """

    way = Way(label="Sign in with your organisation", path="/signin/oidc")

    def __init__(
        self,
        options: OidcOptions,
        provider: OidcProvider,
        *,
        people: People,
        entrance: Entrance,
        cookie: SessionCookie,
        box: SecretBox,
        pages: SignInPages,
    ) -> None:
        self._options = options
        self._provider = provider
        self._people = people
        self._entrance = entrance
        self._cookie = cookie
        self._box = box
        self._pages = pages
        self._log = structlog.get_logger("corehost.web")

    def blueprint(self) -> Blueprint:
        """Return the pages."""
        pages = Blueprint("oidc", __name__)
        pages.add_url_rule("/signin/oidc", "leave", self._leave, methods=["GET"])
        pages.add_url_rule(BACK, "come_back", self._come_back, methods=["GET"])
        return pages

    def _leave(self) -> Response:
        target = local_target(request.args.get("next"))
        try:
            begun = self._provider.begin()
        except CorehostError as error:
            return self._pages.refused(error, target=target)
        response = redirect(begun.url, 303)
        assert isinstance(response, Response)
        kept = self._box.seal({**asdict(begun), "next": target, "until": time.time() + SECONDS})
        response.headers["Set-Cookie"] = self._cookie.written(request.environ, kept)
        return response

    def _come_back(self) -> Response:
        target = "/"
        try:
            begun, target = self._begun()
            user = self._admit(self._provider.finish(begun, request.url))
            secret = self._entrance.open(
                user, agent=request.headers.get("User-Agent", ""), address=request.remote_addr or ""
            )
        except CorehostError as error:
            self._log.warning("sign-in by the provider refused", reason=error.text, cause=repr(error.__cause__))
            response = self._pages.refused(error, target=target)
        else:
            response = self._pages.entered(user, secret, target, way="oidc")
        response.headers.add("Set-Cookie", self._cookie.written(request.environ, None))
        return response

    def _begun(self) -> tuple[Begun, str]:
        """Return what this browser began; raises ``UnauthenticatedError`` if it began nothing, or something else."""
        try:
            kept: dict[str, Any] = self._box.unseal(self._cookie.read(request.environ) or "")
        except (SettingsError, json.JSONDecodeError):
            kept = {"until": 0.0}
        if kept["until"] < time.time():
            raise UnauthenticatedError("This sign-in was not begun here, or too long ago. Begin it again.")
        if not hmac.compare_digest(request.args.get("state", "").encode(), str(kept["state"]).encode()):
            raise UnauthenticatedError("This is the answer to another sign-in. Begin it again.")
        target = local_target(kept.pop("next"))
        del kept["until"]
        return Begun(**kept), target

    def _admit(self, claims: Mapping[str, Any]) -> UserContext:
        """Return the user whom the provider means, with the roles that it gives; an account is made at the first time.

        Raises ``UnauthenticatedError`` for who has no role here, ``ConflictError`` if the name is somebody else's.
        """
        roles = self._options.roles_for(claims)
        if not roles:
            raise UnauthenticatedError("Your organisation knows you, but you have no role here. Ask an administrator.")
        issuer, subject = self._options.issuer, str(claims["sub"])
        user_id = self._people.of_identity(issuer, subject)
        if user_id is None:
            user_id = self._made(claims, roles)
            self._people.join_identity(issuer, subject, user_id)
        elif set(self._people.get(user_id).roles) != set(roles):
            self._people.set_roles(_PROVIDER, user_id, roles)
        user = self._people.context(user_id)
        if user is None:
            raise UnauthenticatedError(f"The account {user_id!r} is disabled.")
        return user

    def _made(self, claims: Mapping[str, Any], roles: tuple[str, ...]) -> str:
        wanted = str(claims.get(self._options.name_claim) or claims["sub"])
        name = re.sub(r"[^a-z0-9._@+-]+", "-", wanted.lower()).strip("-.")[:64]
        try:
            return self._people.add(_PROVIDER, name, roles=roles).id
        except ConflictError as error:
            # The name is only what the provider lets people call themselves; the account may be another's.
            raise ConflictError(
                f"There is an account {name!r} already, which is not yours at the provider. Ask an administrator."
            ) from error
