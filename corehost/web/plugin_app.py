"""Make the Flask app of one enabled plugin, its blueprint registered on demand."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, request
from flask.typing import ResponseReturnValue
from jinja2 import BaseLoader
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.routing import BuildError, RequestRedirect, RoutingException

from corehost.contract.permissions import USER_READ, use_of
from corehost.contract.routes import RoutesSpec
from corehost.messaging.faults import FaultSink
from corehost.plugins.permissions import Permissions
from corehost.plugins.registry import Plugin
from corehost.web.caller import require_caller
from corehost.web.failures import Failures, failed_plugin
from corehost.web.gate import PAGE_LIMIT
from corehost.web.routing import PlannedRoute, join
from corehost.web.shell import Shell, user_of_request
from corehost.web.templating import FolderOf, plugin_loader
from corehost.web.views import RouteView

LinkElsewhere = Callable[[str, Mapping[str, Any]], str | None]
"""Returns the address of another plugin's endpoint, or ``None`` if there is no such plugin."""


class AppTools:
    """What every plugin's app is made with."""

    def __init__(
        self,
        *,
        shell: Shell,
        failures: Failures,
        faults: FaultSink,
        permissions: Permissions,
        folder_of: FolderOf,
        link_elsewhere: LinkElsewhere,
        configure: Callable[[Flask, str | None], None],
        page_seconds: float,
    ) -> None:
        self.shell = shell
        self.failures = failures
        self.faults = faults
        self.permissions = permissions
        self.folder_of = folder_of
        self.link_elsewhere = link_elsewhere
        self.configure = configure
        self.page_seconds = page_seconds


class PluginApp(Flask):
    """One plugin's pages. Blueprints on an app of their own cannot leak into another plugin's."""

    def __init__(self, plugin: Plugin, spec: RoutesSpec, routes: Sequence[PlannedRoute], tools: AppTools) -> None:
        # The folder is given, as Flask would import the module anew to find it.
        folder = plugin.folder or Path(__file__).parent / "nowhere"
        self._plugin = plugin
        self._tools = tools
        self._planned: dict[str, PlannedRoute] = {}
        super().__init__(
            plugin.import_name or plugin.id,
            static_url_path="/static",
            static_folder=None,
            root_path=str(folder),
            instance_path=str(folder.absolute()),
        )
        self.url_map.strict_slashes = False  # the gate takes slashes off the end
        self.config["MAX_CONTENT_LENGTH"] = PAGE_LIMIT + 1  # the gate counts; this is the second lock
        tools.configure(self, plugin.id)
        self.before_request(self._check_permissions)
        self.context_processor(self._user)
        self.url_build_error_handlers.append(self._build_elsewhere)
        self._register(spec, routes)

    @property
    def plugin_id(self) -> str:
        """Whose app this is."""
        return self._plugin.id

    @property
    def planned(self) -> tuple[PlannedRoute, ...]:
        """The routes that it serves, but for those of a ready blueprint."""
        return tuple(self._planned.values())

    def find_route(self, path: str) -> tuple[PlannedRoute | None, dict[str, Any]] | None:
        """Return the route that would serve *path* by GET, and its values.

        ``None`` if there is none; the route is ``None`` for a page of a ready blueprint.
        """
        try:
            endpoint, values = self.url_map.bind("").match(path, method="GET")
        except HTTPException:
            return None
        return self._planned.get(endpoint), dict(values)

    def permissions_of(self, route: PlannedRoute | None) -> tuple[str, ...]:
        """Return what a user needs for *route*."""
        return (route.permissions if route else ()) or (use_of(self._plugin.id),)

    def create_global_jinja_loader(self) -> BaseLoader:  # type: ignore[override]  # Flask annotates its own loader only
        """Look in the plugin's own templates first, then in its dependencies' and the host's."""
        manifest = self._plugin.manifest
        wanted = {dependency.plugin_id for dependency in manifest.dependencies} if manifest else set()
        return plugin_loader(self, frozenset({self._plugin.id, *wanted}), self._tools.folder_of)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Run an ``async`` view of a ready blueprint on the plugin's own event loop."""
        return self._plugin.adapt(func) if inspect.iscoroutinefunction(func) else func

    def handle_http_exception(self, e: HTTPException) -> HTTPException | ResponseReturnValue:
        """Show an ``abort(...)`` in the shell, unless the plugin has a handler or gave a response of its own."""
        answer = super().handle_http_exception(e)
        if answer is not e or isinstance(e, RoutingException | RequestRedirect) or e.response is not None:
            return answer
        return self._tools.failures.answer(e, plugin_id=self._plugin.id)

    def handle_exception(self, e: Exception) -> Response:
        """Charge the plugin for what its page raised, and show that to the visitor."""
        if failed_plugin(e):
            self._tools.faults.charge(self._plugin.id, e, where="route")
        wrapped = InternalServerError(original_exception=e)
        handler = self._find_error_handler(wrapped, request.blueprints)
        answer = self.ensure_sync(handler)(wrapped) if handler else self._failure(e)
        return self.finalize_request(answer, from_error_handler=True)

    def log_exception(self, exc_info: Any) -> None:
        """Leave the log to the charge: it is said once, with the plugin's name."""

    def _failure(self, error: Exception) -> Response:
        return self._tools.failures.answer(error, plugin_id=self._plugin.id)

    def _register(self, spec: RoutesSpec, routes: Sequence[PlannedRoute]) -> None:
        ready = spec.blueprint
        own = Blueprint(self._own_name(ready), self.import_name, root_path=self.root_path, url_prefix=spec.base_path)
        for route in routes:
            self._add_route(own, route)
        self.register_blueprint(own)
        if ready is not None:
            # What every Flask app has; templates that were written for one count on it.
            folder = f"/static/plugins/{self._plugin.id}/{self._plugin.version}"
            self.add_url_rule(f"{folder}/<path:filename>", endpoint="static", build_only=True)
            self.register_blueprint(ready, url_prefix=_prefix_of(ready, spec.base_path))

    def _own_name(self, ready: Any) -> str:
        return f"{self._plugin.id}_routes" if ready is not None and ready.name == self._plugin.id else self._plugin.id

    def _add_route(self, blueprint: Blueprint, route: PlannedRoute) -> None:
        view = RouteView(route, self._plugin, self._tools.shell)
        for rule, defaults in route.rules:
            blueprint.add_url_rule(rule, route.endpoint, view, methods=list(route.methods), defaults=dict(defaults))
        self._planned[f"{blueprint.name}.{route.endpoint}"] = route

    def _check_permissions(self) -> None:
        user = require_caller(request.environ).user
        for permission in self.permissions_of(self._planned.get(request.endpoint or "")):
            self._tools.permissions.require_user(user, permission, f"open the page {request.path!r}")

    def _user(self) -> dict[str, Any]:
        return {"user": user_of_request() if USER_READ in self._plugin.granted else None}

    def _build_elsewhere(self, error: Exception, endpoint: str, values: dict[str, Any]) -> str:
        address = self._tools.link_elsewhere(endpoint, values)
        if address is None:
            assert isinstance(error, BuildError)
            raise error
        return address


def _prefix_of(ready: Blueprint, base_path: str) -> str:
    """Return where a ready blueprint is served: below the base path, which its own prefix may name already."""
    own = ready.url_prefix or ""
    return own if own == base_path or own.startswith(f"{base_path}/") else join(base_path, own)
