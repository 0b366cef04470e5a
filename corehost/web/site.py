"""Know the pages, menus, links and static files of all plugins that are live."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Flask
from jinja2 import Environment
from werkzeug.routing import BuildError

from corehost.contract.permissions import use_of
from corehost.contract.routes import NavigationItem
from corehost.contract.user import UserContext
from corehost.plugins.permissions import Permissions
from corehost.plugins.registry import Plugin, Registry
from corehost.web.live_routes import LiveRoutes
from corehost.web.navigation import Entry, for_shell, icon_of, trimmed
from corehost.web.paths import first_segment
from corehost.web.plugin_app import PluginApp

_HOST = "host"
"""Name before the dot under which every app can link to the host's own endpoints."""


class Site:
    """What is live, by plugin id."""

    def __init__(self, registry: Registry, permissions: Permissions) -> None:
        self._registry = registry
        self._permissions = permissions
        self._live: dict[str, LiveRoutes] = {}
        self._asleep: dict[str, tuple[Plugin, tuple[Entry, ...]]] = {}

    def add(self, plugin_id: str, live: LiveRoutes) -> None:
        """Take in the routes of a plugin that is being loaded."""
        self._live[plugin_id] = live

    def routes_of(self, plugin_id: str) -> LiveRoutes | None:
        """Return the routes of a plugin."""
        return self._live.get(plugin_id)

    def parts_of(self, plugin: Plugin) -> list[tuple[str, object]]:
        """Return, by name, what the web edge made for *plugin* and must die with it."""
        live = self._live.get(plugin.id)
        return [] if live is None or live.app is None else [("app", live.app)]

    def remove(self, plugin_id: str) -> None:
        """Forget the routes of a plugin that has gone."""
        self._live.pop(plugin_id, None)

    def patterns(self) -> Iterator[tuple[str, str]]:
        """Yield plugin id and full pattern of every route."""
        for plugin_id, live in list(self._live.items()):
            yield from ((plugin_id, pattern) for pattern in live.patterns())

    def entries(self) -> Iterator[Entry]:
        """Yield the entries of all menus."""
        for live in list(self._live.values()):
            yield from live.entries
        for plugin, entries in list(self._asleep.values()):
            if plugin.is_dormant:
                yield from entries

    def lay_down(self, plugin: Plugin) -> Callable[[], None]:
        """Show the menu of a plugin that sleeps; what its pages ask for beyond its use is known once it is loaded."""
        items = plugin.routes.navigation if plugin.routes else ()
        self._asleep[plugin.id] = (plugin, tuple(self._sleeping_entry(plugin, item) for item in items))
        return lambda: self._forget_asleep(plugin.id)

    def menu(self, user: UserContext, path: str) -> list[dict[str, Any]]:
        """Return the menu as *user* may see it on the page *path*."""
        return for_shell(trimmed(self.entries(), functools.partial(self._permissions.may, user)), path)

    def first_page(self, user: UserContext) -> str | None:
        """Return the path of the first entry of *user*'s menu."""
        seen = trimmed(self.entries(), functools.partial(self._permissions.may, user))
        return next((entry.item.path for entry in seen), None)

    def environment_of(self, plugin_id: str) -> Environment | None:
        """Return the Jinja environment of a plugin that is live."""
        live = self._live.get(plugin_id)
        return live.app.jinja_env if live and live.app else None

    def folder_of(self, plugin_id: str) -> Path | None:
        """Return the folder of a plugin that is loaded."""
        plugin = self._registry.find(plugin_id)
        if plugin is None or plugin.line is not None:  # templates are code, and those of an isolated plugin stay there
            return None
        return plugin.folder if plugin.status in ("loading", "loaded", "enabled") else None

    def static_folder(self, plugin_id: str, version: str) -> Path | None:
        """Return where the static files of a plugin lie, if it is enabled in this version."""
        plugin = self._registry.find(plugin_id)
        if plugin is None or not plugin.is_enabled or plugin.version != version or plugin.folder is None:
            return None
        return plugin.folder / (plugin.routes.static if plugin.routes else "static")

    def static_url(self, path: str, plugin_id: str | None) -> str:
        """Return the address of a plugin's static file, of the host's own for ``None``."""
        if plugin_id is None:
            return f"/static/corehost/{quote(path)}"
        plugin = self._registry.find(plugin_id)
        return f"/static/plugins/{plugin_id}/{quote(plugin.version if plugin else '0')}/{quote(path)}"

    def entries_of(self, plugin: Plugin, app: PluginApp) -> tuple[Entry, ...]:
        """Return the menu that *plugin* declares, each entry with what its page asks for."""
        return tuple(self._entry(plugin, app, item) for item in (plugin.routes.navigation if plugin.routes else ()))

    def link(self, endpoint: str, values: Mapping[str, Any], *, host: Flask) -> str | None:
        """Return the address of an endpoint in another app; ``None`` if it is nobody's.

        Of a plugin that is known and off, or has no such page, the answer is a link that leads nowhere, so that
        pages which link to it go on working.
        """
        owner, _, name = endpoint.partition(".")
        if owner == _HOST:
            return _built(host, name, values)
        live = self._live.get(owner)
        app = live.app if live else None
        for known in (endpoint, f"{owner}_routes.{name}"):
            if app is not None and (address := _built(app, known, values)) is not None:
                return address
        return f"#off:{endpoint}" if self._registry.find(owner) else None

    def _entry(self, plugin: Plugin, app: PluginApp, item: NavigationItem) -> Entry:
        found = app.find_route(item.path)
        route = found[0] if found else None
        owner = first_segment(item.path) if self._registry.find(first_segment(item.path)) else plugin.id
        return Entry(
            plugin_id=plugin.id,
            item=item,
            permissions=app.permissions_of(route) if found else (use_of(owner),),
            is_hidden=route is not None and route.meta.hidden,
            icon=icon_of(item.icon, lambda path: self.static_url(path, plugin.id)),
            children=tuple(self._entry(plugin, app, child) for child in item.children),
        )

    def _sleeping_entry(self, plugin: Plugin, item: NavigationItem) -> Entry:
        return Entry(
            plugin_id=plugin.id,
            item=item,
            permissions=(use_of(plugin.id),),
            is_hidden=False,
            icon=icon_of(item.icon, lambda path: self.static_url(path, plugin.id)),
            children=tuple(self._sleeping_entry(plugin, child) for child in item.children),
        )

    def _forget_asleep(self, plugin_id: str) -> None:
        self._asleep.pop(plugin_id, None)


def _built(app: Flask, endpoint: str, values: Mapping[str, Any]) -> str | None:
    options = {name: value for name, value in values.items() if name.startswith("_")}
    params = {name: value for name, value in values.items() if not name.startswith("_")}
    try:
        address: str = app.url_map.bind("").build(endpoint, params, method=options.get("_method"))
    except BuildError:
        return None
    anchor = options.get("_anchor")
    return f"{address}#{quote(anchor, safe='%!#$&()*+,/:;=?@')}" if anchor else address
