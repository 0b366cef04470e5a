"""Keep Flask's own sessions, which views may use, alike in all apps."""

from __future__ import annotations

from flask import Flask, Request, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from corehost.web.origins import EdgeAddress, Origins


class FlaskSessions(SecureCookieSessionInterface):
    """Signed cookies that every plugin's app can read; who is signed in is not kept here."""

    def __init__(self, address: EdgeAddress, origins: Origins) -> None:
        self._name = f"corehost-data-{address.port}"
        self._origins = origins

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the session of *request*; without its cookie it is empty, and the key ring is left in peace."""
        if self._name not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)

    def get_cookie_name(self, app: Flask) -> str:
        """Name the port: browsers share cookies between all ports of a machine."""
        return self._name

    def get_cookie_samesite(self, app: Flask) -> str:
        """Never send it along from another site's page."""
        return "Lax"

    def get_cookie_secure(self, app: Flask) -> bool:
        """Keep it off plain http where browsers come by https."""
        return self._origins.is_secure(request.host)
