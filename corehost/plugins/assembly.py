"""Put the plugin layer together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from corehost.contract.core import RouteManager
from corehost.contract.errors import ConflictError, CorehostError
from corehost.messaging.bus import Bus
from corehost.messaging.calls import Calls
from corehost.messaging.events import Events
from corehost.messaging.lanes import Lanes
from corehost.messaging.signals import Signals
from corehost.messaging.timers import Timers
from corehost.plugins.announcements import Announcements
from corehost.plugins.asking import HostHooks
from corehost.plugins.catalogue import Catalogue
from corehost.plugins.config import Config
from corehost.plugins.context import Contexts
from corehost.plugins.external import Fetcher
from corehost.plugins.faults import Faults
from corehost.plugins.fleet import Fleet
from corehost.plugins.gateway import Gateway
from corehost.plugins.installing import ExternalFolder
from corehost.plugins.isolation.restarts import Restarts
from corehost.plugins.isolation.runner import Isolation, IsolationOptions
from corehost.plugins.keeping import KeptStores
from corehost.plugins.leaks import SECONDS, Leaks
from corehost.plugins.life import Part, Surroundings
from corehost.plugins.lifecycle import Lifecycle
from corehost.plugins.loader import Loader
from corehost.plugins.parts import BusPart, VetoPart
from corehost.plugins.permissions import Permissions
from corehost.plugins.registry import Plugin, Registry
from corehost.plugins.reloading import Reloading
from corehost.plugins.scanner import Scanner
from corehost.plugins.starts import StartMark
from corehost.plugins.watcher import Watcher
from corehost.state.database import HostDatabase
from corehost.state.shared import SharedState
from corehost.state.storage import QUOTA, StorageFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginOptions:
    """How plugins are found and held.

    ``folders`` hold local plugins; ``external_urls`` are listed,
    and run if ``allow_external``; ``base_paths`` are those granted beyond
    ``/<id>``, by plugin id. Times are in seconds: the deadline of each life-cycle hook, the longest wait for work
    under way when a plugin goes, how often folders are scanned (0: never) and how long a new plugin must have been
    unchanged. With ``reload``, a plugin whose files change is reloaded;
    ``leak_seconds`` after its unload nothing of a plugin may be left. ``quota`` is the most
    bytes of one plugin's storage. ``isolated`` names the plugins that run in processes
    of their own though their manifests do not ask for it.
    """

    folders: tuple[Path, ...] = ()
    builtin_package: str | None = "builtin_plugins"
    entry_points: bool = True
    external_urls: tuple[str, ...] = ()
    allow_external: bool = False
    allow_loopback_http: bool = False
    safe_mode: bool = False
    hook_seconds: float = 10.0
    drain_seconds: float = 10.0
    scan_seconds: float = 1.0
    settle_seconds: float = 0.5
    reload: bool = False
    leak_seconds: float = SECONDS
    base_paths: Mapping[str, str] = field(default_factory=dict)
    quota: int = QUOTA
    isolated: frozenset[str] = frozenset()
    isolation: IsolationOptions = field(default_factory=IsolationOptions)


class Plugins:
    """Everything about plugins, for the layers above.

    *faults* and *registry* are made before the bus, which needs them, and handed in here. ``add_part`` is for what
    goes live with a plugin; parts are attached in order and taken off in reverse.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        lanes: Lanes,
        calls: Calls,
        timers: Timers,
        events: Events,
        signals: Signals,
        faults: Faults,
        database: HostDatabase,
        data_dir: Path,
        registry: Registry | None = None,
        shared: SharedState | None = None,
        options: PluginOptions | None = None,
        routes_api: Callable[[Plugin], RouteManager] | None = None,
    ) -> None:
        self._log = structlog.get_logger("corehost.plugins")
        self._options = options = options or PluginOptions()
        self._mark = StartMark(data_dir)
        self.faults = faults
        self.database = database
        self.shared = shared or SharedState()
        self.registry = registry or Registry()
        self.hooks = HostHooks(self.registry, calls, faults, seconds=options.hook_seconds)
        self.permissions = Permissions(self.registry, faults, ask=self.hooks.first, owner_of=_owner_of(bus))
        self.gateway = Gateway(self.registry, self.permissions, calls, faults)
        announce = Announcements(bus, events, signals)
        self.config = Config(
            self.registry, database.configs, self.permissions, tell=announce.config, seconds=options.hook_seconds
        )
        contexts = Contexts(
            bus=bus,
            lanes=lanes,
            timers=timers,
            events=events,
            registry=self.registry,
            permissions=self.permissions,
            gateway=self.gateway,
            config=self.config,
            hooks=self.hooks,
            faults=faults,
            database=database,
            storages=StorageFolder(data_dir / "storage", quota=options.quota),
            shared=self.shared,
            routes_api=routes_api,
        )
        self._loader = Loader()
        self._isolation = Isolation(
            faults=faults, require=self.permissions.require_plugin, died=self._worker_died, options=options.isolation
        )
        self._fetcher = Fetcher(allow_loopback=options.allow_loopback_http)
        self._external = ExternalFolder(data_dir / "external", self._fetcher)
        kept = KeptStores(faults)
        self._parts: list[Part] = [
            kept,  # first on and last off: it sees what the stores hold when nothing changes them any more
            self.gateway.open_stores,
            VetoPart(bus, self.hooks),
            BusPart(bus),
            self.gateway.open_methods,
        ]
        surroundings = Surroundings(
            registry=self.registry,
            loader=self._loader,
            contexts=contexts,
            permissions=self.permissions,
            config=self.config,
            gateway=self.gateway,
            bus=bus,
            lanes=lanes,
            faults=faults,
            isolation=self._isolation,
            external=self._external,
            announce=announce,
            parts=self._parts,
            base_paths=dict(options.base_paths),
            hook_seconds=options.hook_seconds,
            drain_seconds=options.drain_seconds,
            isolated=options.isolated,
        )
        self._catalogue = catalogue = Catalogue(
            self.registry,
            database.choices,
            folders=options.folders,
            builtin_package=options.builtin_package,
            entry_points=options.entry_points,
        )
        fleet = Fleet(
            surroundings, catalogue, database.choices, Leaks(faults, announce, timers, seconds=options.leak_seconds)
        )
        reloading = Reloading(surroundings, fleet, kept)
        self.lifecycle = Lifecycle(
            self.registry,
            fleet,
            catalogue,
            database.choices,
            reloading,
            safe_mode=options.safe_mode or self._mark.is_left_over,
        )
        self._restarts = Restarts(self.lifecycle, timers, faults)
        self._scanner = Scanner(
            self.lifecycle, self.registry, catalogue, seconds=options.scan_seconds, settle=options.settle_seconds
        )
        self._watcher = Watcher(self.lifecycle, self.registry, options.folders)
        faults.join(version_of=self._version_of, quarantine=self._quarantine, secrets_of=self.config.secrets)

    def add_part(self, part: Part) -> None:
        """Have *part* called for each plugin that goes live, after the parts that are there; call this before start."""
        self._parts.append(part)

    def look_in(self, folders: Iterable[Path]) -> None:
        """Take *folders* for those that hold local plugins, from the next look on."""
        self._catalogue.folders = tuple(folders)

    def start(self, timeout: float | None = None) -> None:
        """Load all plugins and begin to watch the folders; returns when each was tried."""
        self.submit_start().result(timeout)

    def submit_start(self) -> Future[None]:
        """Begin to do what ``start`` does."""
        if self._options.scan_seconds:
            self._scanner.start()
        if self._options.reload:
            self._watcher.start()
        if self._mark.is_left_over:
            text = (
                "the last start did not finish: safe mode, only built-in plugins are loaded; the next start is normal"
            )
            self._log.warning(text)
        self._mark.set()
        started = self.lifecycle.submit_start()
        started.add_done_callback(lambda _: self._mark.clear())
        if self._options.external_urls:
            threading.Thread(target=self._list_external, name="corehost-external", daemon=True).start()
        return started

    def stop(self, timeout: float | None = None) -> None:
        """Unload all plugins, dependants first."""
        self._scanner.stop()
        self._watcher.stop()
        self.lifecycle.stop(timeout)
        self._isolation.close()
        self._loader.close()

    def _list_external(self) -> None:
        for url in self._options.external_urls:
            try:
                if self._options.allow_external:
                    self._install(url)
                else:
                    self.lifecycle.submit_listed(self._fetcher.list(url))
            except ConflictError:  # the host is stopping
                return

    def _install(self, url: str) -> None:
        try:
            origin = self._external.install(url)
        except (CorehostError, OSError) as error:
            self.lifecycle.submit_listed(self._fetcher.list(url, refused=error))
        else:
            self.lifecycle.submit_arrived([origin])

    def _worker_died(self, plugin_id: str, reason: str) -> None:
        self._restarts.died(plugin_id, reason)

    def _version_of(self, plugin_id: str) -> str:
        plugin = self.registry.find(plugin_id)
        return plugin.version if plugin else ""

    def _quarantine(self, plugin_id: str, reason: str) -> None:
        try:
            self.lifecycle.submit_quarantine(plugin_id, reason)
        except ConflictError:  # the host is stopping, and the plugin with it
            self._log.debug("quarantine while stopping", plugin=plugin_id)


def _owner_of(bus: Bus) -> Callable[[str], str | None]:
    def owner(message_type: str) -> str | None:
        found = bus.schemas().get(message_type)
        return None if found is None else found[0]

    return owner
