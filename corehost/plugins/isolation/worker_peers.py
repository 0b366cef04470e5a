"""The other plugins, and what happens to them, as a plugin in a process of its own sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from corehost.contract.api import ApiDocumentation, ApiSpec, Method
from corehost.contract.errors import DisabledError
from corehost.contract.manifest import Manifest
from corehost.contract.records import from_json
from corehost.contract.routes import RoutesSpec
from corehost.contract.stores import Readable
from corehost.plugins.isolation.worker_line import GRACE, FarStore, HostLine, Undo


class WorkerEvents:
    """The life of host and plugins."""

    def __init__(self, line: HostLine) -> None:
        self._line = line
        self._undos: dict[tuple[str, Callable[[Any], Any]], list[Undo]] = {}

    def on(self, event: str, handler: Callable[[Any], Any]) -> Undo:
        """Call *handler* with the event's data, in the plugin's lane."""
        undo = self._line.open("events.on", handler, event)
        self._undos.setdefault((event, handler), []).append(undo)
        return undo

    def off(self, event: str, handler: Callable[[Any], Any]) -> None:
        """Stop calling *handler*."""
        for undo in self._undos.pop((event, handler), ()):
            undo()

    def emit(self, event: str, data: Any = None) -> None:
        """Tell everyone."""
        self._line.ask("events.emit", event, data)


class WorkerPeers:
    """The other plugins."""

    def __init__(self, line: HostLine, events: WorkerEvents) -> None:
        self._line = line
        self._events = events

    def get(self, plugin_id: str) -> WorkerPeer | None:
        """Return the plugin, or ``None``."""
        found = self._line.ask("peer", plugin_id)
        return None if found is None else WorkerPeer(plugin_id, found, self._line)

    def get_all(self) -> list[WorkerPeer]:
        """Return all known plugins in load order."""
        found = [kept for kept in self._line.ask("peers") if kept["manifest"] is not None]
        return [WorkerPeer(kept["manifest"]["id"], kept, self._line) for kept in found]

    def has(self, plugin_id: str) -> bool:
        """Tell whether the plugin is enabled."""
        return bool(self._line.ask("plugins.has", plugin_id))

    def call(self, plugin_id: str, method: str, input: Any = None, *, timeout: float = 30_000) -> Any:
        """Call a method of another plugin."""
        seconds = timeout / 1000 + GRACE
        return self._line.ask("plugins.call", plugin_id, method, input, timeout=timeout, seconds=seconds)

    def get_config(self, plugin_id: str) -> Mapping[str, Any]:
        """Return another plugin's settings, secrets masked."""
        return dict(self._line.ask("plugins.get_config", plugin_id))

    def set_config(self, plugin_id: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Replace another plugin's settings."""
        return dict(self._line.ask("plugins.set_config", plugin_id, dict(values)))

    def on_plugin_load(self, handler: Callable[[WorkerPeer], Any]) -> Undo:
        """Call *handler* whenever a plugin has been enabled."""

        def told(data: Any) -> Any:
            peer = self.get(data["id"])
            return None if peer is None else handler(peer)

        return self._events.on("plugin:enabled", told)

    def on_plugin_unload(self, handler: Callable[[str], Any]) -> Undo:
        """Call *handler* with the id whenever a plugin has gone."""
        return self._events.on("plugin:unloaded", lambda data: handler(data["id"]))

    def on_plugin_error(self, handler: Callable[[str, str], Any]) -> Undo:
        """Call *handler* with id and reason whenever a plugin has failed."""
        return self._events.on("plugin:error", lambda data: handler(data["id"], data["error"]))


class WorkerPeer:
    """Another plugin, as it was when it was asked for; its methods and stores are as they are now."""

    def __init__(self, plugin_id: str, kept: Mapping[str, Any], line: HostLine) -> None:
        self._id = plugin_id
        self._kept = kept
        self._line = line

    @property
    def manifest(self) -> Manifest:
        """Its manifest; raises ``DisabledError`` while it could not be read."""
        if self._kept["manifest"] is None:
            raise DisabledError(f"Plugin {self._id!r} has no readable manifest: {self.error}")
        return from_json(Manifest, self._kept["manifest"])

    @property
    def status(self) -> Any:
        """Its status."""
        return self._kept["status"]

    @property
    def is_loaded(self) -> bool:
        """Whether it was enabled and its code ran."""
        return self._kept["isLoaded"]  # type: ignore[no-any-return]  # the host's word

    @property
    def error(self) -> str | None:
        """Why it failed, if it did."""
        return self._kept["error"]  # type: ignore[no-any-return]  # the host's word

    @property
    def api(self) -> ApiSpec | None:
        """Its methods; their handlers go through the host."""
        kept = self._kept["api"]
        if kept is None:
            return None
        methods = {name: self._method(name, method) for name, method in kept.get("methods", {}).items()}
        docs = from_json(ApiDocumentation, kept["docs"]) if kept.get("docs") else None
        return ApiSpec(version=kept["version"], methods=methods, docs=docs)

    @property
    def routes(self) -> RoutesSpec | None:
        """Its pages; of each no more than its path and what is said of it."""
        kept = self._kept["routes"]
        return None if kept is None else from_json(RoutesSpec, kept)

    @property
    def stores(self) -> Mapping[str, Readable[Any]]:
        """Its stores."""
        return {name: WorkerPeerStore(self._id, name, self._line) for name in self._kept["stores"]}

    def _method(self, name: str, kept: Mapping[str, Any]) -> Method:
        def call(input: Any, _context: Any = None) -> Any:
            return self._line.ask("plugins.call", self._id, name, input)

        return Method(
            handler=call,
            description=kept.get("description"),
            input_schema=kept.get("inputSchema"),
            output_schema=kept.get("outputSchema"),
            permissions=tuple(kept.get("permissions", ())),
            changes=kept.get("changes") is not False,
        )


class WorkerPeerStore(FarStore):
    """One store of another plugin."""

    def __init__(self, plugin_id: str, name: str, line: HostLine) -> None:
        super().__init__(
            partial(line.ask, "peer.store", plugin_id, name),
            lambda run: line.open("peer.follow", run, plugin_id, name, before=2),
        )
        self.set = partial(line.ask, "peer.set", plugin_id, name)
