"""Know every plugin: where it comes from, what it declared and how it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from corehost.contract.api import ApiSpec
from corehost.contract.core import PluginStatus
from corehost.contract.errors import CorehostError, NotFoundError
from corehost.contract.hookspecs import HookspecsSpec
from corehost.contract.manifest import Manifest
from corehost.contract.message import MessagesSpec
from corehost.contract.permissions import USER_READ, PermissionSet
from corehost.contract.routes import RoutesSpec
from corehost.contract.stores import Readable, StoresSpec, derived, writable
from corehost.plugins.contracts import Contracts
from corehost.plugins.coroutines import Coroutines
from corehost.plugins.dependencies import load_order
from corehost.plugins.hooks import Hooks
from corehost.plugins.isolation.line import Line
from corehost.plugins.loader import Imported
from corehost.plugins.restraint import Restraint
from corehost.plugins.signing.proof import Proof
from corehost.plugins.sources import Origin
from corehost.plugins.usage import Usage


class Waking(Protocol):
    """The way to wake a plugin that is loaded on demand."""

    is_over: bool

    def end(self) -> None: ...


class Plugin:
    """What the host knows of one plugin; only the life-cycle thread changes it.

    ``generation`` counts its loads; ``barred`` says why it must not be loaded at all, as things are; ``line`` leads to
    its own process, if it runs isolated; ``restraint`` holds it back while it is throttled, and
    ``restrain`` lets it feel that when it sends.
    ``proof`` is why one from elsewhere was believed when it was loaded last.
    ``sleep`` is there while one that is loaded on demand is enabled.
    """

    def __init__(self, plugin_id: str, origin: Origin, manifest: Manifest | None = None) -> None:
        self.id = plugin_id
        self.origin = origin
        self.manifest = manifest
        self.status: PluginStatus = "disabled"
        self.error: str | None = None
        self.proof: Proof | None = None
        self.absent: tuple[str, ...] = ()
        self.granted = PermissionSet()
        self.generation = 0
        self.barred: CorehostError | None = None
        self.imported: Imported | None = None
        self.hooks: Hooks | None = None
        self.contracts: Contracts | None = None
        self.coroutines: Coroutines | None = None
        self.line: Line | None = None
        self.sleep: Waking | None = None
        self.usage = Usage()
        self.restraint: Restraint | None = None
        self.restrain: Callable[[Restraint | None], None] = _nothing

    def __repr__(self) -> str:
        return f"<Plugin {self.id} {self.version or '?'} {self.status}>"

    @property
    def version(self) -> str:
        """The plugin's version, ``""`` while its manifest could not be read."""
        return self.manifest.version if self.manifest else ""

    @property
    def is_dormant(self) -> bool:
        """Whether it is enabled and its code waits to be asked for."""
        return self.sleep is not None and not self.sleep.is_over

    @property
    def is_enabled(self) -> bool:
        """Whether all of it is live."""
        return self.status == "enabled"

    @property
    def is_loaded(self) -> bool:
        """Whether it is enabled and its code runs."""
        return self.is_enabled and not self.is_dormant

    @property
    def api(self) -> ApiSpec | None:
        """Its methods, while it is loaded."""
        return self.contracts.api if self.contracts else None

    @property
    def routes(self) -> RoutesSpec | None:
        """Its pages, while it is loaded."""
        return self.contracts.routes if self.contracts else None

    @property
    def messages(self) -> MessagesSpec | None:
        """Its handlers, schemas and subscriptions, while it is loaded."""
        return self.contracts.messages if self.contracts else None

    @property
    def stores(self) -> StoresSpec | None:
        """Its stores, while it is loaded."""
        return self.contracts.stores if self.contracts else None

    @property
    def hookspecs(self) -> HookspecsSpec | None:
        """The hooks that it specifies, while it is loaded."""
        return self.contracts.hookspecs if self.contracts else None

    @property
    def module(self) -> ModuleType | None:
        """Its module, while it is in memory."""
        return self.imported.module if self.imported else None

    @property
    def import_name(self) -> str | None:
        """The name of its module, while it is in memory."""
        return self.module.__name__ if self.module else None

    @property
    def folder(self) -> Path | None:
        """Where its ``templates/`` and ``static/`` lie, ``None`` for a single file or one without code here."""
        return self.imported.folder if self.imported else self.origin.folder

    def adapt(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return *function* as a plain one: an ``async def`` runs on the plugin's event loop."""
        return self.coroutines.adapt(function) if self.coroutines else function

    def settle(self, result: Any) -> Any:
        """Return *result*, or what it becomes if it can be awaited."""
        return self.coroutines.settle(result) if self.coroutines else result


def _nothing(_: Restraint | None) -> None:
    """Stand in for a bus while the plugin has none."""


class Registry:
    """All known plugins, in load order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plugins: Mapping[str, Plugin] = {}
        # Sorted when somebody asks: a start that reads a thousand manifests must not sort a thousand times.
        self._order: tuple[Plugin, ...] | None = None
        self._enabled: tuple[Plugin, ...] | None = None
        self._changes = writable(0)
        self._store = derived(self._changes, self._summaries)

    def get(self, plugin_id: str) -> Plugin:
        """Return the plugin; raises ``NotFoundError``."""
        plugin = self.find(plugin_id)
        if plugin is None:
            raise NotFoundError(f"There is no plugin {str(plugin_id)[:80]!r}.")
        return plugin

    def find(self, plugin_id: str) -> Plugin | None:
        """Return the plugin, or ``None``."""
        return self._plugins.get(plugin_id)

    def all(self) -> tuple[Plugin, ...]:
        """Return all plugins in load order; those without a readable manifest come last."""
        return self._order or self._sort()

    def enabled(self) -> tuple[Plugin, ...]:
        """Return the enabled plugins in load order; the same tuple until they change."""
        if (enabled := self._enabled) is not None:
            return enabled
        order = self._sort()
        with self._lock:
            enabled = tuple(plugin for plugin in order if plugin.is_enabled)
            if self._order is order:  # else somebody changed it meanwhile, and the next who asks computes anew
                self._enabled = enabled
        return enabled

    def ids(self) -> AbstractSet[str]:
        """Return the ids of all plugins."""
        return self._plugins.keys()

    def position(self, plugin_id: str) -> int:
        """Return the plugin's place in the load order."""
        order = self.all()
        return next((index for index, plugin in enumerate(order) if plugin.id == plugin_id), len(order))

    def may_know_user(self, plugin_id: str) -> bool:
        """Tell whether the plugin was granted to know who is behind a message or call."""
        plugin = self.find(plugin_id)
        return plugin is not None and USER_READ in plugin.granted

    def manifests(self) -> dict[str, Manifest]:
        """Return the manifests that could be read, by plugin id."""
        return {plugin.id: plugin.manifest for plugin in self.all() if plugin.manifest is not None}

    def store(self) -> Readable[tuple[Mapping[str, Any], ...]]:
        """Return a store of id, version, status and error of all plugins, in load order."""
        return self._store

    def add(self, *plugins: Plugin) -> None:
        """Take plugins in, each in place of one with its id."""
        with self._lock:
            self._plugins = {**self._plugins, **{plugin.id: plugin for plugin in plugins}}
            self._order = self._enabled = None
        self._tell()

    def remove(self, plugin_id: str) -> None:
        """Forget a plugin."""
        with self._lock:
            self._plugins = {key: plugin for key, plugin in self._plugins.items() if key != plugin_id}
            self._order = self._enabled = None
        self._tell()

    def describe(self, plugin: Plugin, manifest: Manifest) -> None:
        """Give *plugin* the manifest that was read; its place in the load order may change."""
        if plugin.manifest == manifest:
            return
        with self._lock:
            plugin.manifest = manifest
            self._order = self._enabled = None
        self._tell()

    def change(self, plugin: Plugin, status: PluginStatus, error: str | None = None) -> None:
        """Give *plugin* a status, and the reason if it is an error."""
        with self._lock:
            was_enabled = plugin.is_enabled
            plugin.status, plugin.error = status, error
            if plugin.is_enabled != was_enabled:
                self._enabled = None
        self._tell()

    def _sort(self) -> tuple[Plugin, ...]:
        with self._lock:
            if self._order is None:
                self._order = _sorted(self._plugins)
            return self._order

    def _summaries(self, _changes: int) -> tuple[Mapping[str, Any], ...]:
        return tuple(map(_summary, self.all()))

    def _tell(self) -> None:
        self._changes.update(lambda count: count + 1)


def _sorted(plugins: Mapping[str, Plugin]) -> tuple[Plugin, ...]:
    readable = {key: plugin.manifest for key, plugin in plugins.items() if plugin.manifest is not None}
    return tuple(plugins[key] for key in (*load_order(readable), *sorted(set(plugins) - set(readable))))


def _summary(plugin: Plugin) -> dict[str, Any]:
    return {"id": plugin.id, "version": plugin.version, "status": plugin.status, "error": plugin.error}
