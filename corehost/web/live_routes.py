"""Keep the routes of one plugin: those it declared, and those it adds while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from corehost.contract.errors import ConflictError, ManifestError, NotFoundError
from corehost.contract.records import faults_of
from corehost.contract.routes import Route, RoutesSpec
from corehost.plugins.registry import Plugin
from corehost.web.isolated import Forward, forwarded
from corehost.web.mount import Mount, Place
from corehost.web.navigation import Entry
from corehost.web.plugin_app import AppTools, PluginApp
from corehost.web.routing import join, plan_routes


class LiveRoutes:
    """One plugin's app in the mount; built anew and swapped in at once when its routes change.

    Made at each load, before setup, so that what setup registers is there when the plugin goes live.
    """

    def __init__(
        self, plugin: Plugin, mount: Mount, tools: AppTools, *, entries_of: Callable[[PluginApp], tuple[Entry, ...]]
    ) -> None:
        self._plugin = plugin
        self._load = plugin.generation
        self._mount = mount
        self._tools = tools
        self._entries_of = entries_of
        self._lock = threading.RLock()
        self._added: tuple[tuple[Route, ...], ...] = ()
        self._place: Place | None = None
        self.app: PluginApp | None = None
        self.entries: tuple[Entry, ...] = ()

    def belongs_to(self, plugin: Plugin) -> bool:
        """Tell whether these are the routes of this very load of *plugin*."""
        return self._plugin is plugin and self._load == plugin.generation

    def go_live(self) -> Callable[[], None]:
        """Build the app and put it into the mount; the undo waits until the last request has left."""
        with self._lock:
            app = self._build(self._added)
            place = Place(self._plugin.id, self._spec().base_path, app)
            self._show(app)  # before the generation turns, as whoever follows it looks here
            try:
                detach = self._mount.attach(place)
            except ConflictError:
                self._hide()
                raise
            self._place = place

        def undo() -> None:
            with self._lock:
                self._hide()
            detach()

        return undo

    def add(self, routes: Sequence[Route]) -> Callable[[], None]:
        """Serve *routes*, too; raises ``ManifestError`` and changes nothing if one of them cannot be served."""
        batch = tuple(routes)
        faults = [fault for route in batch for fault in faults_of(route)]
        if faults:
            raise ManifestError("These routes cannot be served.", faults)
        with self._lock:
            taken = {join("", route.path) for route in batch}
            before = tuple(_without(known, taken) for known in self._added)
            self._change((*before, batch))
        return lambda: self._forget(batch)

    def remove(self, paths: Sequence[str]) -> None:
        """Take added routes away; raises ``NotFoundError`` naming those that were never added."""
        wanted = {join("", path) for path in paths}
        with self._lock:
            unknown = wanted - {join("", route.path) for batch in self._added for route in batch}
            if unknown:
                listed = ", ".join(repr(path or "/") for path in sorted(unknown))
                raise NotFoundError(f"Plugin {self._plugin.id!r} has registered no route {listed}.")
            self._change(tuple(_without(batch, wanted) for batch in self._added))

    def patterns(self) -> list[str]:
        """Return the full patterns of all routes that are live."""
        app = self.app
        return [route.pattern for route in app.planned] if app else []

    def _forget(self, batch: tuple[Route, ...]) -> None:
        gone = {id(route) for route in batch}
        with self._lock:
            kept = tuple(tuple(r for r in known if id(r) not in gone) for known in self._added)
            if kept != self._added:
                self._change(kept)

    def _change(self, added: tuple[tuple[Route, ...], ...]) -> None:
        added = tuple(batch for batch in added if batch)
        if self._place is not None:
            app = self._build(added)
            self._show(app)
            self._mount.swap(self._place, app)
        self._added = added

    def _show(self, app: PluginApp) -> None:
        self.app, self.entries = app, self._entries_of(app)

    def _hide(self) -> None:
        self._place, self.app, self.entries = None, None, ()

    def _build(self, added: tuple[tuple[Route, ...], ...]) -> PluginApp:
        spec = self._spec()
        routes = plan_routes(spec.base_path, spec.routes, [route for batch in added for route in batch])
        if self._plugin.line is not None:
            forward = Forward(self._plugin, self._plugin.line, self._tools.shell, seconds=self._tools.page_seconds)
            spec, routes = forwarded(spec, routes, forward)
        return PluginApp(self._plugin, spec, routes, self._tools)

    def _spec(self) -> RoutesSpec:
        if self._plugin.routes is None:
            raise ConflictError(f"Plugin {self._plugin.id!r} declares no routes. Return them from 'corehost_routes'.")
        return self._plugin.routes


def _without(batch: tuple[Route, ...], paths: set[str]) -> tuple[Route, ...]:
    return tuple(route for route in batch if join("", route.path) not in paths)
