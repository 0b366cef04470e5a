"""Show a plugin the other plugins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from corehost.contract.api import ApiSpec, Method
from corehost.contract.core import EventEmitter, PluginInstance, PluginStatus
from corehost.contract.errors import DisabledError
from corehost.contract.manifest import Manifest
from corehost.contract.permissions import PLUGINS_COMMUNICATE
from corehost.contract.routes import RoutesSpec
from corehost.contract.stores import Readable
from corehost.messaging.trail import current_trail
from corehost.plugins.config import Config
from corehost.plugins.doors import Door
from corehost.plugins.gateway import Gateway
from corehost.plugins.registry import Plugin, Registry

Undo = Callable[[], None]
CONFIGURE = "host:configure"
"""The custom permission of a plugin that shows and changes the settings of others."""


class Peers:
    """The other plugins, as the plugin behind *door* may see and call them."""

    def __init__(self, door: Door, registry: Registry, gateway: Gateway, config: Config, events: EventEmitter) -> None:
        self._door = door
        self._registry = registry
        self._gateway = gateway
        self._config = config
        self._events = events

    def get(self, plugin_id: str) -> PluginInstance | None:
        """Return the plugin, or ``None``."""
        plugin = self._registry.find(plugin_id)
        return None if plugin is None else self._seen(plugin)

    def get_all(self) -> list[PluginInstance]:
        """Return all known plugins in load order."""
        return [self._seen(plugin) for plugin in self._registry.all()]

    def has(self, plugin_id: str) -> bool:
        """Tell whether the plugin is enabled."""
        plugin = self._registry.find(plugin_id)
        return plugin is not None and plugin.is_enabled

    def call(self, plugin_id: str, method: str, input: Any = None, *, timeout: float = 30_000) -> Any:
        """Call a method of another plugin; *timeout* is in milliseconds."""
        self._door.require(PLUGINS_COMMUNICATE, f"call {plugin_id}.{method}")
        me, user = self._door.plugin.id, current_trail().user
        result = self._gateway.call(plugin_id, method, input, caller=me, user=user, timeout=timeout / 1000)
        if (plugin := self._registry.find(plugin_id)) is not None:
            plugin.usage.note("callers", method, me, plugin.generation)
        return result

    def get_config(self, plugin_id: str) -> Mapping[str, Any]:
        """Return another plugin's settings, secrets masked."""
        self._door.require(CONFIGURE, "read the settings of other plugins")
        return self._config.read(plugin_id, user=current_trail().user)

    def set_config(self, plugin_id: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Replace another plugin's settings."""
        self._door.require(CONFIGURE, "change the settings of other plugins")
        return self._config.set(plugin_id, values, user=current_trail().user)

    def on_plugin_load(self, handler: Callable[[PluginInstance], Any]) -> Undo:
        """Call *handler* whenever a plugin has been enabled."""
        call = self._door.plugin.adapt(handler)

        def told(data: Any) -> None:
            if (plugin := self.get(data["id"])) is not None:
                call(plugin)

        return self._events.on("plugin:enabled", told)

    def on_plugin_unload(self, handler: Callable[[str], Any]) -> Undo:
        """Call *handler* with the id whenever a plugin has gone."""
        call = self._door.plugin.adapt(handler)
        return self._events.on("plugin:unloaded", lambda data: call(data["id"]))

    def on_plugin_error(self, handler: Callable[[str, str], Any]) -> Undo:
        """Call *handler* with id and reason whenever a plugin has failed."""
        call = self._door.plugin.adapt(handler)
        return self._events.on("plugin:error", lambda data: call(data["id"], data["error"]))

    def _seen(self, plugin: Plugin) -> Peer:
        return Peer(plugin, self, self._door, self._gateway)


class Peer:
    """Another plugin as one plugin sees it; what it shows is as it is now."""

    def __init__(self, plugin: Plugin, peers: Peers, door: Door, gateway: Gateway) -> None:
        self._plugin = plugin
        self._peers = peers
        self._door = door
        self._gateway = gateway

    @property
    def manifest(self) -> Manifest:
        """Its manifest; raises ``DisabledError`` while it could not be read."""
        if self._plugin.manifest is None:
            raise DisabledError(f"Plugin {self._plugin.id!r} has no readable manifest: {self._plugin.error}")
        return self._plugin.manifest

    @property
    def status(self) -> PluginStatus:
        """Its status."""
        return self._plugin.status

    @property
    def is_loaded(self) -> bool:
        """Whether it is enabled and its code runs."""
        return self._plugin.is_loaded

    @property
    def error(self) -> str | None:
        """Why it failed, if it did."""
        return self._plugin.error

    @property
    def api(self) -> ApiSpec | None:
        """Its methods; their handlers go through the gateway, so that permissions and schemas hold."""
        api = self._plugin.api
        return replace(api, methods={n: self._through(n, m) for n, m in api.methods.items()}) if api else None

    @property
    def routes(self) -> RoutesSpec | None:
        """Its pages."""
        return self._plugin.routes

    @property
    def stores(self) -> Mapping[str, Readable[Any]]:
        """Its stores, as views that call back in the lane of whoever looks."""
        return PeerStores(self._plugin, self._door, self._gateway)

    def _through(self, name: str, method: Method) -> Method:
        def call(input: Any, _context: Any = None) -> Any:
            return self._peers.call(self._plugin.id, name, input)

        return replace(method, handler=call)


class PeerStores(Mapping[str, Readable[Any]]):
    """The stores of another plugin; one that is off has none."""

    def __init__(self, plugin: Plugin, door: Door, gateway: Gateway) -> None:
        self._plugin = plugin
        self._door = door
        self._gateway = gateway

    def __getitem__(self, name: str) -> Readable[Any]:
        if name not in set(self):
            raise KeyError(name)
        self._door.require(PLUGINS_COMMUNICATE, f"follow {self._plugin.id}/{name}")
        return PeerStore(self._door, self._gateway, self._plugin, name)

    def __iter__(self) -> Iterator[str]:
        spec = self._plugin.stores if self._plugin.is_enabled else None
        return iter(spec.all() if spec else ())

    def __len__(self) -> int:
        return sum(1 for _ in self)


class PeerStore(Readable[Any]):
    """One store of another plugin: follows in the looker's lane, and sets by permission."""

    def __init__(self, door: Door, gateway: Gateway, plugin: Plugin, name: str) -> None:
        super().__init__()
        self._gateway = gateway
        self._me = door.plugin
        self._plugin = plugin
        self._names = (plugin.id, name)
        self._view = door.watch(gateway.store(plugin.id, name))

    def snapshot(self) -> tuple[Any, int]:
        """Return value and version as they belong together."""
        found = self._gateway.read_store(*self._names, caller=self._me.id, user=current_trail().user)
        self._plugin.usage.note("readers", self._names[1], self._me.id, self._plugin.generation)
        return found

    def subscribe(self, run: Callable[[Any], Any]) -> Undo:
        """Call *run* with the value now, and after each change in the lane of whoever looks."""
        self.snapshot()  # who may not read may not follow
        return self._view.subscribe(self._me.adapt(run))

    def set(self, value: Any) -> None:
        """Set the store; needs ``plugin:<id>:manage``, of the plugin and of the user behind it."""
        self._gateway.write_store(*self._names, value, caller=self._me.id, user=current_trail().user)
        self._plugin.usage.note("writers", self._names[1], self._me.id, self._plugin.generation)
