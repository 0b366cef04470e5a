"""Serve a plugin's pages inside of its own process."""

from __future__ import annotations

import contextlib
import inspect
import io
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from flask import Blueprint, Flask, Response, make_response, redirect, render_template, request
from flask_bootstrap import Bootstrap5
from jinja2 import BaseLoader, ChoiceLoader
from markupsafe import Markup
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect, RoutingException

from corehost import __version__
from corehost.contract.errors import PermissionDeniedError
from corehost.contract.routes import Page, Route, RouteContext, RoutesSpec
from corehost.contract.user import UserContext
from corehost.plugins.coroutines import Coroutines
from corehost.plugins.isolation.frames import BrokenFrameError, Frames, pack
from corehost.plugins.isolation.remote import user_from_json
from corehost.plugins.isolation.travel import error_to_json
from corehost.plugins.isolation.worker_line import during
from corehost.plugins.loader import Imported
from corehost.web.isolated_wire import read_body, send_body
from corehost.web.routing import PlannedRoute, join, plan_routes
from corehost.web.templating import host_loader

_MOST: Final = 32
"""How many pages are made at a time; who comes later waits."""
_USER: Final = "corehost.user"
_NOWHERE: Final = Path(__file__).parent / "nowhere"
Undo = Callable[[], None]


class IsolatedPages:
    """The pages of the one plugin in this process; its app is made anew when routes come or go."""

    def __init__(
        self,
        plugin_id: str,
        loaded: Imported,
        spec: RoutesSpec,
        coroutines: Coroutines,
        *,
        first_app: IsolatedApp | None = None,
    ) -> None:
        self._plugin_id = plugin_id
        self._loaded = loaded
        self._spec = spec
        self._coroutines = coroutines
        self._lock = threading.Lock()
        self._added: tuple[Route, ...] = ()
        self._places = threading.BoundedSemaphore(_MOST)
        self._app = self._build((), first_app)

    def serve_more(self, routes: Sequence[Route]) -> Undo:
        """Serve *routes*, too; raises ``ManifestError`` for those that cannot be served."""
        more = tuple(routes)
        self._change((*self._added, *more))
        return lambda: self._change(tuple(route for route in self._added if route not in more))

    def serve(self, door: socket.socket) -> None:
        """Answer whoever comes through *door*, each on a thread, for as long as this process lives."""
        while True:
            connection, _ = door.accept()
            self._places.acquire()
            threading.Thread(target=self._answer, args=(connection,), name="page", daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError, EOFError, BrokenFrameError):
                self.converse(connection)
        finally:
            self._places.release()

    def converse(self, connection: socket.socket) -> None:
        """Answer one request that comes over *connection*."""
        frames = Frames(connection)
        head = frames.next()
        environ = _environ(head, b"".join(read_body(frames)))
        told: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Any:
            told[:] = [{"status": status, "headers": headers}]

        with during(head["during"]):
            try:
                body = self._app(environ, start)
            except HTTPException as error:
                told[:], body = [{"abort": [error.code or 500, error.description or error.name]}], ()
            except BaseException as error:  # noqa: BLE001  # a plugin may raise anything; the host shows and charges it
                told[:], body = [{"error": error_to_json(error)}], ()
            connection.sendall(pack(told[0]))
            try:
                send_body(connection, body)
            finally:
                close = getattr(body, "close", None)
                if close is not None:
                    close()

    def _change(self, added: tuple[Route, ...]) -> None:
        with self._lock:
            self._app = self._build(added)
            self._added = added

    def _build(self, added: tuple[Route, ...], blank: IsolatedApp | None = None) -> IsolatedApp:
        routes = plan_routes(self._spec.base_path, self._spec.routes, added)
        app = blank or IsolatedApp()
        app.dedicate(self._plugin_id, self._loaded.folder, self._spec, routes, self._coroutines)
        return app


class IsolatedApp(Flask):
    """One plugin's pages without the shell, which the host puts around them.

    Made without saying whose, so that the template of workers can have one ready; ``dedicate`` says so, once.
    """

    def __init__(self) -> None:
        super().__init__(__name__, static_folder=None, root_path=str(_NOWHERE), instance_path=str(_NOWHERE))
        self.url_map.strict_slashes = False
        self.config.update(BOOTSTRAP_SERVE_LOCAL=True, PROPAGATE_EXCEPTIONS=True)
        Bootstrap5(self)
        self.jinja_env.globals.update(corehost_version=__version__, csrf_token="")
        self.context_processor(lambda: {"user": request.environ[_USER]})
        self.url_build_error_handlers.append(lambda _error, endpoint, _values: f"#off:{endpoint}")

    def dedicate(
        self,
        plugin_id: str,
        folder: Path | None,
        spec: RoutesSpec,
        routes: Sequence[PlannedRoute],
        coroutines: Coroutines,
    ) -> None:
        """Serve *routes* of a plugin, whose package's *folder* holds its templates."""
        self._coroutines = coroutines
        self.import_name = self.name = plugin_id
        if folder is not None:
            self.root_path, self.instance_path = str(folder), str(folder.absolute())
            self.config.root_path = self.root_path
        self.jinja_env.globals["plugin"] = plugin_id
        name = f"{plugin_id}_routes" if _is_named(spec, plugin_id) else plugin_id
        own = Blueprint(name, plugin_id, root_path=self.root_path)  # without, all of sys.path is searched for it
        for route in routes:
            view = _View(route, coroutines)
            for rule, defaults in route.rules:
                own.add_url_rule(rule, route.endpoint, view, methods=list(route.methods), defaults=dict(defaults))
        self.register_blueprint(own, url_prefix=spec.base_path)
        if spec.blueprint is not None:
            self.register_blueprint(spec.blueprint, url_prefix=join(spec.base_path, spec.blueprint.url_prefix or ""))

    def create_global_jinja_loader(self) -> BaseLoader:  # type: ignore[override]  # Flask annotates its own loader only
        """Look in the plugin's own templates, then in the host's."""
        return ChoiceLoader([super().create_global_jinja_loader(), host_loader()])

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Run an ``async`` view on the plugin's own event loop."""
        return self._coroutines.adapt(func) if inspect.iscoroutinefunction(func) else func

    def handle_http_exception(self, e: HTTPException) -> Any:
        """Leave an ``abort(...)`` to the host, which shows it in the shell, unless the plugin has an answer."""
        answer = super().handle_http_exception(e)
        if answer is e and e.response is None and not isinstance(e, RoutingException | RequestRedirect):
            raise e
        return answer

    def log_exception(self, exc_info: Any) -> None:
        """Leave the log to the host, which charges the plugin."""


class _View:
    """The view of one declared route: guards before it, its layouts around what it returns."""

    def __init__(self, route: PlannedRoute, coroutines: Coroutines) -> None:
        self._route = route
        self._view = coroutines.adapt(route.view)
        self._guards = [(guard, coroutines.adapt(guard.can_activate)) for guard in route.guards]

    def __call__(self, **params: Any) -> Any:
        refused = self._refused(params) if self._guards else None
        return self._laid_out(self._view(**params)) if refused is None else refused

    def _refused(self, params: Mapping[str, Any]) -> Any:
        context = RouteContext(
            params={name: str(value) for name, value in params.items()},
            search_params={name: tuple(values) for name, values in request.args.lists()},
            user=request.environ[_USER],
        )
        for guard, can_activate in self._guards:
            if not can_activate(context):
                if guard.redirect_to is None or guard.redirect_to.rstrip("/") == request.path.rstrip("/"):
                    raise PermissionDeniedError("The plugin does not let you see this page.")
                return redirect(guard.redirect_to, 303)
        return None

    def _laid_out(self, answer: Any) -> Any:
        body, *rest = answer if isinstance(answer, tuple) else (answer,)
        if not isinstance(body, str | Page):
            return answer
        meta = self._route.meta
        text = render_template(body.template, **body.values) if isinstance(body, Page) else body
        for layout in self._route.layouts:
            text = render_template(layout, content=Markup(text), meta=meta, title=meta.title)  # noqa: S704  # rendered with escaping, or a view's HTML
        page = Response(text, mimetype="text/html")
        return make_response((page, *rest)) if rest else page


def _is_named(spec: RoutesSpec, plugin_id: str) -> bool:
    return spec.blueprint is not None and spec.blueprint.name == plugin_id


def _environ(head: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    """Return the WSGI environment of a request, with no more than what the host lets through."""
    user: UserContext | None = user_from_json(head["user"])
    return {
        **head["environ"],
        _USER: user,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
