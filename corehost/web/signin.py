"""Serve the pages on which people sign in and out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, redirect, request

from corehost.contract.errors import CorehostError, PermissionDeniedError, TooManyAttemptsError, UnauthenticatedError
from corehost.contract.user import UserContext
from corehost.web.auth import SessionCookie
from corehost.web.caller import caller_of
from corehost.web.csrf import FIELD, Csrf
from corehost.web.entrance import Entrance
from corehost.web.paths import local_target
from corehost.web.problems import problem_of
from corehost.web.shell import Shell

Announce = Callable[[str, UserContext, str | None], None]
"""Tells the host of ``user:login`` and ``user:logout``, with the public id of the browser session that ended."""
Note = Callable[..., None]
"""Writes to the audit log: the action, then ``actor``, ``subject``, ``outcome`` and ``detail`` by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A further way to sign in that the page offers, such as an OpenID provider."""

    label: str
    path: str


class SignInPages:
    """``/signin`` and ``/signout``. A link's GET changes nothing, as mail scanners and previews open links."""

    def __init__(
        self,
        *,
        entrance: Entrance,
        cookie: SessionCookie,
        strangers: SessionCookie,
        csrf: Csrf,
        shell: Shell,
        announce: Announce | None,
        note: Note,
        ways: Sequence[Way] = (),
    ) -> None:
        """*strangers* is the cookie that ties the form of a password to the browser that it was shown to."""
        self._entrance = entrance
        self._cookie = cookie
        self._strangers = strangers
        self._csrf = csrf
        self._shell = shell
        self._announce = announce
        self._note = note
        self._ways = ways

    def blueprint(self) -> Blueprint:
        """Return the pages."""
        pages = Blueprint("signing", __name__)
        pages.add_url_rule("/signin", "show", self._show, methods=["GET"])
        pages.add_url_rule("/signin", "sign_in", self._enter, methods=["POST"])
        pages.add_url_rule("/signout", "sign_out", self._leave, methods=["POST"])
        return pages

    def _show(self) -> Response:
        code, target = request.args.get("code", ""), local_target(request.args.get("next"))
        return self._page(200, code=code, target=target)

    def _enter(self) -> Response:
        target = local_target(request.form.get("next"))
        code, name = request.form.get("code", "").strip(), request.form.get("name", "").strip()
        try:
            secret, user = self._by_code(code) if code or not name else self._by_password(name)
        except CorehostError as error:
            return self._refused(error, target, name)
        return self.entered(user, secret, target, way="link" if code else "password")

    def entered(self, user: UserContext, secret: str, target: str, *, way: str) -> Response:
        """Return the response that signs this browser in and leads to *target*; an earlier session of it ends."""
        if before := self._cookie.read(request.environ):
            self._entrance.end(before)
        response = _to(target)
        response.headers.add("Set-Cookie", self._cookie.written(request.environ, secret))
        detail = {"address": _address(), "way": way}
        self._note("user:sign-in", actor=f"user:{user.id}", subject=f"user:{user.id}", detail=detail)
        self._tell("user:login", user, None)
        return response

    def refused(self, error: CorehostError, *, name: str = "", target: str = "/") -> Response:
        """Return the sign-in page that says why somebody was not let in."""
        return self._refused(error, target, name)

    def _by_code(self, code: str) -> tuple[str, UserContext]:
        # A code needs no form token: who does not know it cannot make a browser send it. Whose page sent it counts.
        if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise PermissionDeniedError("Another site's page sent this. Open the link itself.")
        return self._entrance.by_code(code, agent=_agent(), address=_address())

    def _by_password(self, name: str) -> tuple[str, UserContext]:
        secret = self._strangers.read(request.environ)
        if not self._csrf.knows_stranger(secret, request.form.get(FIELD, "")):
            raise PermissionDeniedError("This page was open too long, or your browser keeps no cookies. Try again.")
        password = request.form.get("password", "")
        return self._entrance.by_password(name, password, agent=_agent(), address=_address())

    def _leave(self) -> Response:
        secret, caller = self._cookie.read(request.environ), caller_of(request.environ)
        if secret:
            self._entrance.end(secret)
        response = _to("/signin")
        response.headers["Set-Cookie"] = self._cookie.written(request.environ, None)
        response.headers["Clear-Site-Data"] = '"cache"'
        if caller is not None:
            self._note("user:sign-out", actor=f"user:{caller.user.id}", subject=f"user:{caller.user.id}")
            self._tell("user:logout", caller.user, caller.session)
        return response

    def _tell(self, event: str, user: UserContext, ended: str | None) -> None:
        if self._announce is not None:
            self._announce(event, user, ended)

    def _refused(self, error: CorehostError, target: str, name: str) -> Response:
        subject = f"user:{name[:64]}" if name else ""
        detail = {"address": _address()}
        self._note("user:sign-in", actor="anonymous", subject=subject, outcome="refused", detail=detail)
        status = 403 if isinstance(error, UnauthenticatedError) else problem_of(error).status
        page = self._page(status, code="", target=target, refusal=error.text, name=name)
        if isinstance(error, TooManyAttemptsError):
            page.headers["Retry-After"] = str(error.retry_after)
        return page

    def _page(self, status: int, *, code: str, target: str, refusal: str | None = None, name: str = "") -> Response:
        values: Mapping[str, Any] = {"code": code, "target": target, "refusal": refusal, "name": name[:64]}
        if code:
            values = {**values, "owner": self._entrance.owner_of(code)}
            return self._response(status, values)
        kept = self._strangers.read(request.environ)
        secret = kept or secrets.token_urlsafe(16)
        response = self._response(status, {**values, "token": self._csrf.strangers_token(secret), "ways": self._ways})
        if kept is None:
            written = self._strangers.written(request.environ, secret, same_site="Strict")
            response.headers.add("Set-Cookie", written)
        return response

    def _response(self, status: int, values: Mapping[str, Any]) -> Response:
        content = self._shell.render("host/signin.html", **values)
        page = self._shell.lay_out(content, title="Sign in", plugin_id=None)
        return Response(page, status, mimetype="text/html")


def _agent() -> str:
    return request.headers.get("User-Agent", "")


def _address() -> str:
    return request.remote_addr or ""


def _to(path: str) -> Response:
    response = redirect(path, 303)
    assert isinstance(response, Response)
    return response
