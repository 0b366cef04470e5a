"""Make the host's own Flask app: home, sign-in, liveness, static files and whatever nobody else serves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from flask import Flask, Response, redirect, render_template, request, send_from_directory
from jinja2 import BaseLoader
from werkzeug.exceptions import HTTPException

from corehost.contract.errors import CorehostError, NotFoundError
from corehost.web.caller import require_caller
from corehost.web.failures import Failures
from corehost.web.gate import API_LIMIT, REFUSAL
from corehost.web.paths import is_below
from corehost.web.shell import Shell
from corehost.web.templating import host_loader

STATIC = Path(__file__).parent / "static"
_ALWAYS_SERVED = ("/api", "/static", "/bootstrap/static", "/healthz", "/readyz", "/signin", "/signout", "/metrics")

FirstPage = Callable[[], str | None]
"""Returns the path of the first entry of the caller's menu."""
StaticFolder = Callable[[str, str], Path | None]
"""Returns where the static files of an enabled plugin of this version lie."""


class HostApp(Flask):
    """The app behind all paths that no plugin has."""

    def __init__(self, *, failures: Failures, ready: threading.Event) -> None:
        self._failures = failures
        self._ready = ready
        self._log = structlog.get_logger("corehost.web")
        super().__init__("corehost.web", static_url_path="/static", static_folder=None)
        self.url_map.strict_slashes = False
        self.config["MAX_CONTENT_LENGTH"] = API_LIMIT + 1  # the gate counts; this is the second lock
        self.before_request(self._raise_refusal)
        self.before_request(self._show_loading)
        self.register_error_handler(Exception, self._answer)

    def create_global_jinja_loader(self) -> BaseLoader:  # type: ignore[override]  # Flask annotates its own loader only
        """Look in the host's templates and Bootstrap-Flask's."""
        return host_loader()

    def _raise_refusal(self) -> None:
        refusal = request.environ.get(REFUSAL)
        if refusal is not None:
            raise refusal

    def _show_loading(self) -> Response | None:
        if self._ready.is_set() or any(is_below(request.path, path) for path in _ALWAYS_SERVED):
            return None
        page = render_template("host/loading.html")
        # The header reloads the page without a script, also in a browser that runs none.
        return Response(page, 503, {"Refresh": "1", "Retry-After": "1"}, mimetype="text/html")

    def _answer(self, error: Exception) -> Response | HTTPException:
        if isinstance(error, HTTPException) and (error.response is not None or (error.code or 500) < 400):
            return error
        if not isinstance(error, CorehostError | HTTPException):
            self._log.error("request failed", path=request.path, error=repr(error), exc_info=error)
        return self._failures.answer(error)


def add_host_pages(
    app: HostApp, *, shell: Shell, ready: threading.Event, first_page: FirstPage, static_folder: StaticFolder
) -> None:
    """Give *app* the pages that need no part of their own."""

    def home() -> Any:
        require_caller(request.environ)
        if (path := first_page()) is not None:
            return redirect(path, 303)
        return shell.lay_out(shell.render("host/empty.html"), title="Welcome", plugin_id=None)

    def plugin_static(plugin_id: str, version: str, path: str) -> Response:
        folder = static_folder(plugin_id, version)
        if folder is None:
            raise NotFoundError(f"There are no static files of plugin {plugin_id!r} {version!r}.")
        return _file(folder, path)

    app.add_url_rule("/", "home", home)
    app.add_url_rule("/healthz", "healthz", lambda: _word(True))
    app.add_url_rule("/readyz", "readyz", lambda: _word(ready.is_set()))
    app.add_url_rule("/static/corehost/<path:path>", "static", lambda path: _file(STATIC, path))
    app.add_url_rule("/static/plugins/<plugin_id>/<version>/<path:path>", "plugin_static", plugin_static)


def _word(is_so: bool) -> Response:
    return Response("yes\n" if is_so else "no\n", 200 if is_so else 503, mimetype="text/plain")


def _file(folder: Path, path: str) -> Response:
    """Return a file below *folder*; browsers ask each time and are told when theirs is still good."""
    if not (folder / path).resolve().is_relative_to(folder.resolve()):
        raise NotFoundError(f"There is no file {path!r}.")
    response = send_from_directory(folder, path, max_age=None)
    response.headers["Cache-Control"] = "no-cache"
    return response
