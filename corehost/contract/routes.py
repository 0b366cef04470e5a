"""The pages that a plugin offers: routes, guards, layouts and navigation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from corehost.contract.errors import Fault
from corehost.contract.records import checked
from corehost.contract.user import UserContext


def _path_fault(value: Any) -> str | None:
    if not isinstance(value, str) or not value.startswith("/") or value.startswith("//") or "\\" in value:
        return f"{value!r} must start with one '/' and hold no '\\'."
    if any(part in (".", "..") for part in value.split("/")):
        return f"{value!r} must not hold '.' or '..'."
    return None


def _redirect_fault(value: Any) -> str | None:
    """A guard may send a visitor elsewhere on this host only: an open redirect lends our name to others' pages."""
    return None if value is None else _path_fault(value)


def _is_base_path(value: Any) -> str | None:
    if _path_fault(value) or value == "/" or value.endswith("/"):
        return f"{value!r} must be a path such as '/my-plugin', without a '/' at its end."
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteContext:
    """What a guard may look at.

    ``params`` are the path's, decoded; ``search_params`` maps each query name to its values in order; ``user`` is
    given to plugins granted ``user:read``.
    """

    params: Mapping[str, str]
    search_params: Mapping[str, tuple[str, ...]]
    user: UserContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Decides, before the view, whether a visitor may enter.

    ``can_activate(context)``, plain or ``async``, returns a bool. Refused: a redirect to ``redirect_to`` (a path
    on this host) or 403.
    """

    can_activate: Callable[[RouteContext], Any]
    redirect_to: str | None = checked(_redirect_fault, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteMeta:
    """What navigation, titles and checks need to know of a route; ``permissions`` are the user's."""

    title: str | None = None
    description: str | None = None
    icon: str | None = None
    order: int = 0
    hidden: bool = False
    permissions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One page. ``path`` is relative to the base path, or to the parent's path for a child.

    A path may hold ``:id``, ``[id]``, ``[...rest]`` or Flask's ``<int:id>``; the values arrive as keyword
    arguments. ``view`` is a Flask view, plain or ``async``: a ``str`` or ``Page`` that it returns is laid out in
    ``layout`` (a template of the plugin that says where with ``{{ content }}``), that in the parents' layouts,
    that in the shell; any other response passes as it is. A route without a view only groups its children.
    """

    path: str = checked(_path_fault)
    view: Callable[..., Any] | None = None
    layout: str | None = None
    meta: RouteMeta = RouteMeta()
    children: tuple[Route, ...] = ()
    guards: tuple[Guard, ...] = ()
    methods: tuple[str, ...] = ("GET",)

    def faults(self) -> Iterator[Fault]:
        """Name a route that can show nothing."""
        if self.view is None and not self.children:
            yield Fault(path="/view", message="A route needs a view or children.")


@dataclass(frozen=True, slots=True, kw_only=True)
class NavigationItem:
    """One entry of the menu that a plugin offers; ``icon`` as in the manifest, ``order`` ascending."""

    id: str
    label: str
    path: str = checked(_path_fault)
    icon: str | None = None
    order: int = 0
    children: tuple[NavigationItem, ...] = ()
    badge: str | int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutesSpec:
    """What ``corehost_routes`` returns.

    ``base_path`` is ``/<plugin id>`` or below it, unless the operator grants another. ``static`` is a folder
    beside the plugin's code, served at ``/static/plugins/<id>/<version>/``. ``blueprint`` is a ready Flask
    blueprint that is registered under the base path beside the routes; what its views return passes as it is.
    """

    base_path: str = checked(_is_base_path)
    routes: tuple[Route, ...] = ()
    navigation: tuple[NavigationItem, ...] = ()
    static: str = "static"
    blueprint: Any = field(default=None, metadata={"live": True})


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A view's answer that is rendered from a template of its plugin and laid out like a ``str``."""

    template: str
    values: Mapping[str, Any]


def page(template: str, /, **values: Any) -> Page:
    """Return a page that renders *template*, from the plugin's ``templates/``, with *values*."""
    return Page(template=template, values=values)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteInfo:
    """Where a request is: its path, the path's and the query's values, and whose page it is."""

    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    plugin: str | None = None
