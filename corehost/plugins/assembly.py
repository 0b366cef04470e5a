"""Put the plugin layer together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path

import structlog

from corehost.contract.core import RouteManager
from corehost.messaging.assembly import Messaging
from corehost.plugins.announcements import Announcements
from corehost.plugins.asking import HostHooks
from corehost.plugins.catalogue import Catalogue
from corehost.plugins.config import Config
from corehost.plugins.context import Contexts
from corehost.plugins.culprits import Culprits
from corehost.plugins.elsewhere import Elsewhere
from corehost.plugins.faults import Faults
from corehost.plugins.fleet import Fleet
from corehost.plugins.gateway import Gateway
from corehost.plugins.grants import Grants
from corehost.plugins.installation.assembly import make_installer
from corehost.plugins.installation.records import Records
from corehost.plugins.isolation.restarts import Restarts
from corehost.plugins.isolation.runner import Isolation
from corehost.plugins.keeping import KeptStores
from corehost.plugins.lifecycle import Lifecycle
from corehost.plugins.loader import Loader
from corehost.plugins.options import PluginOptions
from corehost.plugins.oversight import Oversight, watched_leaks
from corehost.plugins.parts import BusPart, VetoPart
from corehost.plugins.permissions import Permissions, owner_of
from corehost.plugins.registry import Plugin, Registry
from corehost.plugins.reloading import Reloading
from corehost.plugins.scanner import Scanner
from corehost.plugins.starts import Starts
from corehost.plugins.surroundings import Part, Surroundings
from corehost.plugins.watcher import Watcher
from corehost.state.database import HostDatabase
from corehost.state.shared import SharedState
from corehost.state.storage import StorageFolder


class Plugins:
    """Everything about plugins, for the layers above.

    *faults* and *registry* are made before the messaging, which needs them, and handed in here. ``add_part`` is for
    what goes live with a plugin; parts are attached in order and taken off in reverse.
    """

    def __init__(
        self,
        *,
        messaging: Messaging,
        registry: Registry,
        faults: Faults,
        database: HostDatabase,
        data_dir: Path,
        shared: SharedState | None = None,
        options: PluginOptions | None = None,
        routes_api: Callable[[Plugin], RouteManager] | None = None,
    ) -> None:
        self._log = structlog.get_logger("corehost.plugins")
        self._options = options or PluginOptions()
        self._messaging = messaging
        self.registry = registry
        self.faults = faults
        self.database = database
        self.shared = shared or SharedState()
        self._announce = Announcements(messaging.bus, messaging.events, messaging.signals)
        self._make_doors(data_dir, routes_api)
        self._make_sources(data_dir)
        self._asleep: list[Part] = []
        self._make_parts()
        self._make_lifecycle(data_dir)
        self._make_watchers()

    def add_part(self, part: Part, *, asleep: Part | None = None) -> None:
        """Have *part* called for each plugin that goes live, after those that are there; call this before start.

        *asleep* is called for each that is listed to be loaded on demand.
        """
        self._parts.append(part)
        self._asleep += [asleep] if asleep else []

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
        self.oversight.start()
        self._starts.begin()
        self.installer.recover()
        started = self.lifecycle.submit_start()
        started.add_done_callback(lambda _: self._starts.end())
        started.add_done_callback(lambda _: self.installer.resume())
        if self._options.external_urls:
            bring = partial(self.elsewhere.bring, self.lifecycle)
            threading.Thread(target=bring, name="corehost-external", daemon=True).start()
        return started

    def grant(self, plugin_id: str, decisions: Mapping[str, bool], *, by: str) -> Future[None]:
        """Decide what a plugin may do, from this moment on, as ``Grants.decide`` says.

        The future is done when the plugin was taken down and loaded anew, where what it had set up asks for that, or
        loaded because it waited for nothing but this.
        """
        change = self.grants.decide(plugin_id, decisions, by=by)
        return self.lifecycle.submit_regranted(plugin_id, change.taken if change.must_restart else ())

    def stop(self, timeout: float | None = None) -> None:
        """Unload all plugins, dependants first."""
        self._scanner.stop()
        self._watcher.stop()
        self.oversight.stop()
        self.installer.stop()
        self.leaks.stop()
        self.lifecycle.stop(timeout)
        self._isolation.close()
        self._loader.close()

    def _make_doors(self, data_dir: Path, routes_api: Callable[[Plugin], RouteManager] | None) -> None:
        """What plugins ask of the host, and what the host and others ask of them."""
        messaging, options = self._messaging, self._options
        self.hooks = HostHooks(self.registry, messaging.calls, self.faults, seconds=options.hook_seconds)
        self.permissions = Permissions(
            self.registry,
            self.faults,
            self.database.audit,
            ask=self.hooks.first,
            owner_of=owner_of(messaging.bus),
        )
        self.grants = Grants(self.registry, self.database.grants, self.database.audit, changed=self._announce.grants)
        self.gateway = Gateway(self.registry, self.permissions, messaging.calls, self.faults, self.database.audit)
        self.config = Config(
            self.registry,
            self.database.configs,
            self.permissions,
            self.database.audit,
            tell=self._announce.config,
            seconds=options.hook_seconds,
        )
        self._contexts = Contexts(
            messaging=messaging,
            registry=self.registry,
            permissions=self.permissions,
            gateway=self.gateway,
            config=self.config,
            hooks=self.hooks,
            faults=self.faults,
            database=self.database,
            storages=StorageFolder(data_dir / "storage", quota=options.quota),
            shared=self.shared,
            routes_api=routes_api,
        )

    def _make_sources(self, data_dir: Path) -> None:
        """Where plugins are found, and how their code comes to run."""
        options = self._options
        self._loader = Loader()
        self._isolation = Isolation(
            faults=self.faults,
            require=self.permissions.require_plugin,
            died=lambda plugin_id, reason: self._restarts.died(plugin_id, reason),
            options=options.isolation,
        )
        self.elsewhere = Elsewhere(data_dir, self.database, self.registry, options)
        self._records = Records(data_dir / "installed")
        culprits = Culprits(data_dir, self.faults)
        self._catalogue = Catalogue(
            self.registry,
            self.database.choices,
            culprits,
            folders=options.folders,
            builtin_package=options.builtin_package,
            entry_points=options.entry_points,
            further=lambda: [*self._records.origins(), *options.origins],
        )
        self._starts = Starts(data_dir, self._catalogue.origins, culprits)

    def _make_parts(self) -> None:
        """What goes live with a plugin, and what must be gone with it."""
        bus = self._messaging.bus
        self.leaks = watched_leaks(self._messaging, self.faults, self._announce, self.registry, self._options)
        self._kept = KeptStores(self.faults)
        self._parts: list[Part] = [
            self._kept,  # first on and last off: it sees what the stores hold when nothing changes them any more
            self.hooks,
            self.gateway.open_stores,
            VetoPart(bus, self.hooks),
            BusPart(bus),
            self.gateway.open_methods,
        ]

    def _make_lifecycle(self, data_dir: Path) -> None:
        """How plugins come and go."""
        options, choices = self._options, self.database.choices
        surroundings = self._surroundings()
        fleet = Fleet(surroundings, self._catalogue, choices, self.leaks)
        reloading = Reloading(surroundings, fleet, self._kept)
        safe_mode = options.safe_mode or self._starts.is_safe
        self.lifecycle = Lifecycle(
            self.registry, fleet, self._catalogue, choices, reloading, self.grants, safe_mode=safe_mode
        )
        self.installer = make_installer(
            data_dir=data_dir,
            records=self._records,
            external=self.elsewhere.folder,
            registry=self.registry,
            database=self.database,
            grants=self.grants,
            lifecycle=self.lifecycle,
            fleet=fleet,
            catalogue=self._catalogue,
            reloading=reloading,
            faults=self.faults,
            announce=self._announce,
            options=options,
            safe_mode=safe_mode,
            bus=self._messaging.bus,
        )

    def _surroundings(self) -> Surroundings:
        options, messaging = self._options, self._messaging
        return Surroundings(
            registry=self.registry,
            loader=self._loader,
            contexts=self._contexts,
            grants=self.grants,
            config=self.config,
            gateway=self.gateway,
            bus=messaging.bus,
            lanes=messaging.lanes,
            faults=self.faults,
            isolation=self._isolation,
            external=self.elsewhere.folder,
            announce=self._announce,
            parts=self._parts,
            asleep=self._asleep,
            inspect=lambda plugin_id: self.oversight.guard.look(plugin_id),
            base_paths=dict(options.base_paths),
            hook_seconds=options.hook_seconds,
            drain_seconds=options.drain_seconds,
            isolated=options.isolated,
        )

    def _make_watchers(self) -> None:
        """Who moves plugins when no operator does: deaths, folders and files."""
        options = self._options
        self.oversight = Oversight(
            self.lifecycle,
            self._messaging,
            self.registry,
            self.faults,
            self._announce,
            options,
            secrets_of=self.config.secrets,
            note=self._note_quarantine,
        )
        self.add_part(self.oversight)
        self._restarts = Restarts(self.lifecycle, self._messaging.timers, self.faults)
        self._scanner = Scanner(
            self.lifecycle, self.registry, self._catalogue, seconds=options.scan_seconds, settle=options.settle_seconds
        )
        self._watcher = Watcher(self.lifecycle, self.registry, options.folders)

    def _note_quarantine(self, plugin_id: str, reason: str) -> None:
        self.database.audit.note("plugin:quarantine", actor="core", subject=plugin_id, detail={"why": reason})
