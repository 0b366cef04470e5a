"""Make what a plugin is handed at setup."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from corehost.contract.core import RouteManager
from corehost.contract.errors import ConflictError
from corehost.contract.permissions import NETWORK_FETCH
from corehost.messaging.assembly import Messaging
from corehost.messaging.scoped import ScopedBus
from corehost.plugins.asking import HostHooks
from corehost.plugins.bus_door import BusDoor
from corehost.plugins.closers import Closers
from corehost.plugins.config import Config
from corehost.plugins.doors import Door, EventsDoor, HooksDoor, StateDoor, StorageDoor, UsersDoor
from corehost.plugins.faults import Faults
from corehost.plugins.gateway import Gateway
from corehost.plugins.http import PluginHttp
from corehost.plugins.logger import PluginLogger
from corehost.plugins.peers import Peers
from corehost.plugins.permissions import Permissions
from corehost.plugins.registry import Plugin, Registry
from corehost.plugins.routes_door import RoutesDoor
from corehost.plugins.work import Work
from corehost.state.database import HostDatabase
from corehost.state.shared import SharedState
from corehost.state.storage import StorageFolder

Undo = Callable[[], None]
RoutesApi = Callable[[Plugin], RouteManager]


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The host as one plugin sees it."""

    messages: ScopedBus
    plugins: Peers
    events: EventsDoor
    state: StateDoor
    routes: RoutesDoor


class Context:
    """One plugin's context. ``hush`` ends what can call the plugin; ``close`` all the rest."""

    def __init__(
        self, plugin: Plugin, core: Core, work: Work, *, inputs: Closers, resources: Closers, **doors: Any
    ) -> None:
        self._plugin = plugin
        self._work = work
        self._inputs = inputs
        self._resources = resources
        self.core = core
        self.config: Mapping[str, Any] = doors["config"]
        self.logger: PluginLogger = doors["logger"]
        self.storage: StorageDoor = doors["storage"]
        self.http: PluginHttp = doors["http"]
        self.users: UsersDoor = doors["users"]
        self.hooks: HooksDoor = doors["hooks"]

    @property
    def plugin_id(self) -> str:
        """The plugin's id."""
        return self._plugin.id

    @property
    def absent(self) -> tuple[str, ...]:
        """The optional dependencies that are not enabled."""
        return self._plugin.absent

    def every(self, seconds: float, work: Callable[[], Any]) -> Undo:
        """Call *work* in the plugin's lane every *seconds*."""
        return self._work.every(seconds, work)

    def later(self, seconds: float, work: Callable[[], Any]) -> Undo:
        """Call *work* in the plugin's lane once, after *seconds*."""
        return self._work.later(seconds, work)

    def spawn(self, work: Callable[..., Any]) -> Undo:
        """Run *work* on a thread of its own."""
        return self._work.spawn(work)

    def hush(self) -> None:
        """End subscriptions, timers, watched stores and threads; new ones are refused from now on."""
        self._inputs.close()

    def close(self) -> None:
        """End everything that is left."""
        self._inputs.close()
        self._resources.close()


class Contexts:
    """Makes the context of a plugin out of the host's parts."""

    def __init__(
        self,
        *,
        messaging: Messaging,
        registry: Registry,
        permissions: Permissions,
        gateway: Gateway,
        config: Config,
        hooks: HostHooks,
        faults: Faults,
        database: HostDatabase,
        storages: StorageFolder,
        shared: SharedState,
        routes_api: RoutesApi | None = None,
    ) -> None:
        self._messaging = messaging
        self._registry = registry
        self._permissions = permissions
        self._gateway = gateway
        self._config = config
        self._hooks = hooks
        self._faults = faults
        self._database = database
        self._storages = storages
        self._shared = shared
        self._routes_api = routes_api

    def open(self, plugin: Plugin) -> Context:
        """Return the context of *plugin*, whose lane must be open."""
        inputs, resources = Closers(plugin.id), Closers(plugin.id)
        door = Door(plugin, self._permissions, self._submit_for(plugin.id), inputs)
        storage = self._storages.open(plugin.id)
        http = PluginHttp(lambda: door.require(NETWORK_FETCH, "send requests to other servers"))
        resources.keep(storage.close)
        resources.keep(http.close)
        return Context(
            plugin,
            self._core(plugin, door),
            Work(plugin, self._messaging.timers, door.submit, inputs, self._faults),
            inputs=inputs,
            resources=resources,
            config=self._config.view(plugin.id),
            logger=PluginLogger(plugin.id, lambda: self._config.secrets(plugin.id)),
            storage=StorageDoor(door, storage),
            http=http,
            users=UsersDoor(door, self._database.preferences),
            hooks=HooksDoor(plugin, self._hooks),
        )

    def _core(self, plugin: Plugin, door: Door) -> Core:
        events = EventsDoor(door, self._messaging.events.scoped(plugin.id))
        access = BusDoor(door)
        plugin.restrain = access.restrain
        return Core(
            messages=self._messaging.bus.scoped(plugin.id, access),
            plugins=Peers(door, self._registry, self._gateway, self._config, events),
            events=events,
            state=StateDoor(door, self._shared),
            routes=RoutesDoor(door, lambda: self._routes_of(plugin)),
        )

    def _routes_of(self, plugin: Plugin) -> RouteManager:
        if self._routes_api is None:
            raise ConflictError("This host has no web edge, so there are no routes.")
        return self._routes_api(plugin)

    def _submit_for(self, plugin_id: str) -> Callable[[Callable[[], Any], object], Any]:
        return lambda work, key: self._messaging.lanes.submit(plugin_id, work, latest=key)
