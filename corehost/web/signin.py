"""Serve the pages on which people sign in and out."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, redirect, request

from corehost.contract.errors import UnauthenticatedError
from corehost.contract.user import UserContext
from corehost.web.auth import ADMINISTRATOR, SessionCookie, SignIn
from corehost.web.caller import caller_of
from corehost.web.paths import local_target
from corehost.web.shell import Shell

Announce = Callable[[str, UserContext, str | None], None]
"""Tells the host of ``user:login`` and ``user:logout``, with the public id of the browser session that ended."""


class SignInPages:
    """``/signin`` and ``/signout``. A link's GET changes nothing, as mail scanners and previews open links."""

    def __init__(self, *, sign_in: SignIn, cookie: SessionCookie, shell: Shell, announce: Announce | None) -> None:
        self._sign_in = sign_in
        self._cookie = cookie
        self._shell = shell
        self._announce = announce

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
        code, target = request.form.get("code", "").strip(), local_target(request.form.get("next"))
        try:
            secret = self._sign_in.open(code)
        except UnauthenticatedError as error:
            return self._page(403, code="", target=target, refusal=error.text)
        response = _to(target)
        response.headers["Set-Cookie"] = self._cookie.written(request.environ, secret)
        self._tell("user:login", ADMINISTRATOR, None)
        return response

    def _leave(self) -> Response:
        secret, caller = self._cookie.read(request.environ), caller_of(request.environ)
        if secret:
            self._sign_in.end(secret)
        response = _to("/signin")
        response.headers["Set-Cookie"] = self._cookie.written(request.environ, None)
        response.headers["Clear-Site-Data"] = '"cache"'
        if caller is not None:
            self._tell("user:logout", caller.user, caller.session)
        return response

    def _tell(self, event: str, user: UserContext, ended: str | None) -> None:
        if self._announce is not None:
            self._announce(event, user, ended)

    def _page(self, status: int, *, code: str, target: str, refusal: str | None = None) -> Response:
        content = self._shell.render("host/signin.html", code=code, target=target, refusal=refusal)
        page = self._shell.lay_out(content, title="Sign in", plugin_id=None)
        return Response(page, status, mimetype="text/html")


def _to(path: str) -> Response:
    response = redirect(path, 303)
    assert isinstance(response, Response)
    return response
