"""Stand between a plugin and the routes of the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from corehost.contract.core import RouteManager
from corehost.contract.permissions import ROUTES_REGISTER
from corehost.contract.routes import NavigationItem, Route, RouteInfo
from corehost.contract.stores import Readable
from corehost.contract.user import UserContext
from corehost.plugins.doors import Door

Undo = Callable[[], None]


class RoutesDoor:
    """Routes at run time; what changes something needs ``routes:register``."""

    def __init__(self, door: Door, routes: Callable[[], RouteManager]) -> None:
        self._door = door
        self._routes = routes

    def register(self, routes: Sequence[Route]) -> Undo:
        """Add routes to those declared, until the plugin goes."""
        self._door.require(ROUTES_REGISTER, "register routes")
        return self._door.closers.keep(self._routes().register(routes))

    def unregister(self, paths: Sequence[str]) -> None:
        """Take routes of the plugin away again."""
        self._door.require(ROUTES_REGISTER, "unregister routes")
        self._routes().unregister(paths)

    def navigate(self, path: str, *, session: str | None = None, replace: bool = False, state: Any = None) -> None:
        """Tell a browser to go to *path*."""
        self._door.require(ROUTES_REGISTER, "move a browser")
        self._routes().navigate(path, session=session, replace=replace, state=state)

    def get_current_route(self) -> RouteInfo:
        """Return where the request being served is."""
        return self._routes().get_current_route()

    def match(self, path: str) -> RouteInfo | None:
        """Return which plugin's route would serve *path*."""
        return self._routes().match(path)

    def all_routes(self) -> list[RouteInfo]:
        """Return all routes that are live."""
        return self._routes().all_routes()

    def navigation(self, user: UserContext | None = None) -> list[NavigationItem]:
        """Return the menu as *user* may see it."""
        return self._routes().navigation(user)

    def get_store(self) -> Readable[Any]:
        """Return a store of all live route patterns."""
        return self._door.watch(self._routes().get_store())
