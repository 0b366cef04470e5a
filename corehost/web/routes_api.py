"""Let a plugin add and ask for routes while it runs: its ``core.routes``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from flask import has_request_context, request

from corehost.contract.core import Unsubscribe
from corehost.contract.errors import InvalidError, NotFoundError
from corehost.contract.routes import NavigationItem, Route, RouteInfo
from corehost.contract.stores import Readable, derived
from corehost.contract.user import UserContext
from corehost.messaging.trail import current_trail
from corehost.plugins.permissions import Permissions
from corehost.web.live_routes import LiveRoutes
from corehost.web.mount import Mount
from corehost.web.navigation import Entry, in_order, trimmed
from corehost.web.paths import local_target
from corehost.web.plugin_app import PluginApp

Notify = Callable[[str, str, dict[str, Any]], Any]
"""Sends a JSON-RPC notification (session, method, params) to a browser session."""


class SiteMap(Protocol):
    """What is live of all plugins."""

    def patterns(self) -> Iterable[tuple[str, str]]:
        """Yield plugin id and full pattern of every route."""

    def entries(self) -> Iterable[Entry]:
        """Yield the entries of all menus."""


class PluginRouteManager:
    """The ``RouteManager`` of one plugin; its door has checked what the plugin may."""

    def __init__(
        self,
        live: LiveRoutes,
        *,
        mount: Mount,
        site: SiteMap,
        permissions: Permissions,
        notify: Notify,
    ) -> None:
        self._live = live
        self._mount = mount
        self._site = site
        self._permissions = permissions
        self._notify = notify

    def register(self, routes: Sequence[Route]) -> Unsubscribe:
        """Add *routes*; raises ``ManifestError`` for those that cannot be served."""
        return self._live.add(routes)

    def unregister(self, paths: Sequence[str]) -> None:
        """Take added routes away; raises ``NotFoundError`` for one that was not added."""
        self._live.remove([paths] if isinstance(paths, str) else paths)

    def navigate(self, path: str, *, session: str | None = None, replace: bool = False, state: Any = None) -> None:
        """Tell a browser to go to *path*.

        Raises ``NotFoundError`` where no session is known, ``InvalidError`` for a path that leaves this host.
        """
        if local_target(path) != path:
            raise InvalidError(f"{path!r} is no path on this host. Begin it with one '/'.")
        target = session or current_trail().session
        if target is None:
            raise NotFoundError("No browser session led here. Name one with 'session'.")
        self._notify(target, "ui.navigate", {"path": path, "replace": replace, "state": state})

    def get_current_route(self) -> RouteInfo:
        """Return where the request being served is; raises ``NotFoundError`` outside of one."""
        if not has_request_context():
            raise NotFoundError("No request is being served here.")
        place = self._mount.find(request.path)
        return RouteInfo(
            path=request.path,
            params={name: str(value) for name, value in (request.view_args or {}).items()},
            query=request.args.to_dict(),
            plugin=place.plugin_id if place else None,
        )

    def match(self, path: str) -> RouteInfo | None:
        """Return which plugin's route would serve *path*, with its values."""
        clean = "/" + path.partition("?")[0].strip("/")
        place = self._mount.find(clean)
        if place is None or not isinstance(place.app, PluginApp) or (found := place.app.find_route(clean)) is None:
            return None
        params = {name: str(value) for name, value in found[1].items()}
        return RouteInfo(path=clean, params=params, query={}, plugin=place.plugin_id)

    def all_routes(self) -> list[RouteInfo]:
        """Return all routes that are live; ``path`` is the full pattern."""
        return [RouteInfo(path=path, params={}, query={}, plugin=owner) for owner, path in self._site.patterns()]

    def navigation(self, user: UserContext | None = None) -> list[NavigationItem]:
        """Return the menu, ordered, as *user* may see it; without a user, the whole."""
        entries = self._site.entries()
        if user is None:
            return [entry.as_item() for entry in in_order(entries)]
        return [entry.as_item() for entry in trimmed(entries, lambda wanted: self._permissions.may(user, wanted))]

    def get_store(self) -> Readable[Any]:
        """Return a store of all live route patterns; it is computed when somebody looks, not at each change."""
        return derived(self._mount.generation, lambda _: self._patterns())

    def _patterns(self) -> list[str]:
        return sorted(pattern for _, pattern in self._site.patterns())
