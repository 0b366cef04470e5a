"""Enable and disable plugins while the host serves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Literal, TypeVar

from corehost.contract.errors import (
    ConsentNeededError,
    CorehostError,
    DisabledError,
    PermissionDeniedError,
    PluginFaultError,
)
from corehost.plugins.catalogue import Catalogue
from corehost.plugins.fleet import Fleet
from corehost.plugins.grants import Grants
from corehost.plugins.plans import Plan, Plans, needed
from corehost.plugins.registry import Plugin, Registry
from corehost.plugins.reloading import Reloading
from corehost.plugins.sources import Origin
from corehost.state.choices import Choices

T = TypeVar("T")
Undo = Callable[[], None]


class Lifecycle:
    """Changes run one at a time on the life-cycle thread. Each method waits for its change; ``submit_…`` does not.

    With ``safe_mode`` only built-in plugins run.
    """

    def __init__(
        self,
        registry: Registry,
        fleet: Fleet,
        catalogue: Catalogue,
        choices: Choices,
        reloading: Reloading,
        grants: Grants,
        *,
        safe_mode: bool = False,
    ) -> None:
        self._registry = registry
        self._fleet = fleet
        self._catalogue = catalogue
        self._choices = choices
        self._reloading = reloading
        self._plans = Plans(registry, fleet, grants, safe_mode=safe_mode)
        self._changes = fleet.changes

    def start(self, timeout: float | None = None) -> None:
        """List and load all plugins; one that fails is left as an error, the rest load."""
        self._changes.wait(self.submit_start(), timeout)

    def submit_start(self) -> Future[None]:
        """Ask for ``start``."""
        return self.submit_arrived(None)

    def enable(self, plugin_id: str, *, cascade: bool = False, timeout: float | None = None) -> Plugin:
        """Enable a plugin, with ``cascade`` also what it needs; remembered across restarts.

        Raises ``NotFoundError``, ``DependencyError`` (nothing is changed then), ``NotAllowedError``; what the
        plugin's load raised; ``LateError`` after *timeout* seconds, while the change goes on.
        """
        return self._changes.wait(self.submit_enable(plugin_id, cascade=cascade), timeout)

    def submit_enable(self, plugin_id: str, *, cascade: bool = False) -> Future[Plugin]:
        """Ask for ``enable``."""
        return self._changes.submit(lambda: self._enable(plugin_id, cascade))

    def disable(self, plugin_id: str, *, cascade: bool = False, timeout: float | None = None) -> Plugin:
        """Disable a plugin, with ``cascade`` also what needs it; remembered across restarts.

        Raises ``NotFoundError``, and ``DependantsError`` without ``cascade`` if others need it.
        """
        return self._changes.wait(self.submit_disable(plugin_id, cascade=cascade), timeout)

    def submit_disable(self, plugin_id: str, *, cascade: bool = False) -> Future[Plugin]:
        """Ask for ``disable``."""
        return self._changes.submit(lambda: self._disable(plugin_id, cascade))

    def reload(self, plugin_id: str, *, timeout: float | None = None) -> Plugin:
        """Run an enabled plugin's code as it is now in place of the old; what depends on the plugin follows.

        Raises what the new code raised; the old one goes on then, or is back. One that had failed is tried again.
        Raises ``NotFoundError``, ``DisabledError``, ``DependencyError``.
        """
        return self._changes.wait(self.submit_reload(plugin_id), timeout)

    def submit_reload(self, plugin_id: str) -> Future[Plugin]:
        """Ask for ``reload``."""
        return self._changes.submit(lambda: self._reload(plugin_id))

    def selftest(self, plugin_id: str, *, timeout: float | None = None) -> None:
        """Have an enabled plugin test itself; raises ``PluginFaultError`` if that fails, ``DisabledError``."""
        self._changes.wait(self._changes.submit(lambda: self._selftest(plugin_id)), timeout)

    def unregister(self, plugin_id: str, *, cascade: bool = False, timeout: float | None = None) -> None:
        """Disable a plugin and forget it until it is found anew; the operator's choice is kept."""
        self._changes.wait(self.submit_unregister(plugin_id, cascade=cascade), timeout)

    def submit_unregister(self, plugin_id: str, *, cascade: bool = False) -> Future[None]:
        """Ask for ``unregister``."""
        return self._changes.submit(lambda: self._forget(self._registry.get(plugin_id), cascade))

    def rescan(self, timeout: float | None = None) -> None:
        """Look at all sources again: new plugins come, vanished ones go, failed ones are tried again."""
        self._changes.wait(self.submit_rescan(), timeout)

    def submit_rescan(self) -> Future[None]:
        """Ask for ``rescan``."""
        return self._changes.submit(self._rescan)

    def submit_arrived(self, origins: Iterable[Origin] | None) -> Future[None]:
        """Ask to list *origins* and to load those that shall be enabled; ``None`` stands for all that can be found."""
        return self._changes.submit(lambda: self._arrive(self._catalogue.origins() if origins is None else origins))

    def submit_departed(self, plugin_id: str) -> Future[None]:
        """Ask to forget a plugin whose code is gone, with whatever needs it."""
        return self._changes.submit(lambda: self._depart(plugin_id))

    def submit_listed(self, plugin: Plugin) -> Future[None]:
        """Ask to list a plugin that is never loaded."""
        return self._changes.submit(lambda: self._catalogue.enter(plugin))

    def submit_quarantine(self, plugin_id: str, reason: str) -> Future[tuple[str, ...]]:
        """Ask to switch a plugin off as an ``error`` with *reason*; the result names it and those that went with it."""
        return self._changes.submit(lambda: self._quarantine(plugin_id, reason))

    def submit_crashed(self, plugin_id: str, error: Exception) -> Future[tuple[str, ...]]:
        """Ask to take an enabled plugin down whose process died; the result names it and those that went with it."""
        return self._changes.submit(lambda: self._crashed(plugin_id, error))

    def submit_revive(self, plugin_ids: tuple[str, ...]) -> Future[None]:
        """Ask to load plugins again that a crash took down, unless somebody has decided otherwise meanwhile."""
        return self._changes.submit(lambda: self._revive(plugin_ids))

    def submit_regranted(self, plugin_id: str, taken: tuple[str, ...]) -> Future[None]:
        """Ask to begin a plugin anew that lost what it stands on, and one that waited for consent."""
        return self._changes.submit(lambda: self._regranted(plugin_id, taken))

    def change(self, work: Callable[[], T], *, timeout: float | None = None) -> T:
        """Do *work* of another part on the life-cycle thread, between two changes, and return what it returns."""
        return self._changes.wait(self._changes.submit(work), timeout)

    def plan(self, plugin_id: str, status: Literal["enabled", "disabled"], *, cascade: bool = False) -> Plan:
        """Return what enabling or disabling a plugin would do now; nothing is changed."""
        return self._plans.plan(plugin_id, status, cascade=cascade)

    def plan_reload(self, plugin_id: str) -> Plan:
        """Return which plugins ``reload`` would load anew now; nothing is changed."""
        return self._plans.reloading(plugin_id)

    def stop(self, timeout: float | None = None) -> None:
        """Unload everything, dependants first, and take no more changes; choices stay as they are."""
        self._changes.close(self._stop, timeout)

    # --- on the life-cycle thread ---

    def _arrive(self, origins: Iterable[Origin]) -> None:
        to_load = []
        for plugin in self._catalogue.list(origins):
            wanted = self._catalogue.is_wanted(plugin)
            if wanted is False or not self._plans.is_safe(plugin) or self._waits(plugin):
                continue
            if wanted is None:  # only its code can tell
                if self._fleet.read(plugin) is not None:
                    continue
                if not self._catalogue.is_wanted(plugin):
                    self._fleet.take_down(plugin)
                    continue
            to_load.append(plugin)
        self._fleet.bring_up(to_load)

    def _waits(self, plugin: Plugin) -> bool:
        """Tell whether the plugin must wait for consent; its entry then says for what."""
        try:
            self._plans.require_consent(plugin)
        except ConsentNeededError as error:
            self._registry.change(plugin, "disabled", error.text)
            return True
        return False

    def _enable(self, plugin_id: str, cascade: bool) -> Plugin:
        plugin = self._registry.get(plugin_id)
        self._plans.require_allowed(plugin)
        self._catalogue.culprits.forgive(plugin.origin.plugin_id)
        if not plugin.is_enabled:
            self._bring_up(plugin, cascade)
        for name in (*self._plans.needs(plugin, all_of_them=True), plugin.id) if cascade else (plugin.id,):
            self._choices.set(name, True)
        return plugin

    def _reload(self, plugin_id: str) -> Plugin:
        plugin = self._registry.get(plugin_id)
        self._plans.require_allowed(plugin)
        if plugin.is_enabled:
            self._reloading.reload(plugin)
            return plugin
        if plugin.status != "error":
            raise DisabledError(f"Plugin {plugin_id!r} is {plugin.status}. Enable it first.")
        self._catalogue.list([plugin.origin])  # its manifest may have changed, too
        return self._enable(plugin_id, cascade=False)

    def _selftest(self, plugin_id: str) -> None:
        plugin = self._registry.get(plugin_id)
        if not plugin.is_enabled:
            raise DisabledError(f"Plugin {plugin_id!r} is {plugin.status}. Enable it first.")
        self._fleet.test(plugin)

    def _bring_up(self, plugin: Plugin, cascade: bool) -> None:
        before = plugin.status, plugin.error
        if (error := self._fleet.read(plugin)) is not None:
            raise error
        needs = self._plans.needs(plugin) if cascade else []
        try:
            self._plans.require_resolvable(plugin, needs)
        except CorehostError:
            self._fleet.take_down(plugin)
            self._registry.change(plugin, *before)
            raise
        failures = self._fleet.bring_up([*map(self._registry.get, needs), plugin])
        if plugin.id in failures:
            raise failures[plugin.id]

    def _disable(self, plugin_id: str, cascade: bool) -> Plugin:
        plugin = self._registry.get(plugin_id)
        for name in self._take_down(plugin, cascade):
            self._choices.set(name, False)
        return plugin

    def _take_down(self, plugin: Plugin, cascade: bool) -> tuple[str, ...]:
        dependants = self._fleet.dependants(plugin)
        if dependants and not cascade:
            raise needed(plugin.id, dependants)
        for name in dependants:
            self._fleet.take_down(self._registry.get(name))
        if plugin.barred is None:
            self._fleet.take_down(plugin)
        return (*dependants, plugin.id)

    def _forget(self, plugin: Plugin, cascade: bool) -> None:
        self._take_down(plugin, cascade)
        self._registry.remove(plugin.id)

    def _depart(self, plugin_id: str) -> None:
        plugin = self._registry.find(plugin_id)
        if plugin is None:
            return
        self._forget(plugin, cascade=True)
        # Another plugin of the same id may have been barred only by this one.
        barred = [p for p in self._registry.all() if p.barred is not None and p.id.startswith(f"{plugin_id}@")]
        self._arrive(p.origin for p in barred)

    def _rescan(self) -> None:
        found = self._catalogue.origins()
        known = {plugin.origin: plugin for plugin in self._registry.all()}
        for origin, plugin in known.items():
            if origin not in found and origin.kind != "external":
                self._depart(plugin.id)
        self._arrive(o for o in found if o not in known or known[o].status == "error")

    def _quarantine(self, plugin_id: str, reason: str) -> tuple[str, ...]:
        plugin = self._registry.find(plugin_id)
        if plugin is None or not self._fleet.is_loaded(plugin):
            return ()
        names = (plugin_id, *reversed(self._fleet.dependants(plugin)))
        self._fleet.fail(plugin, PluginFaultError(f"Quarantined: {reason}", plugin_id=plugin_id))
        return names

    def _crashed(self, plugin_id: str, error: Exception) -> tuple[str, ...]:
        plugin = self._registry.find(plugin_id)
        if plugin is None or not plugin.is_enabled:  # while it loads or goes, that step fails by itself
            return ()
        names = (plugin_id, *reversed(self._fleet.dependants(plugin)))
        self._fleet.fail(plugin, error)
        return names

    def _revive(self, plugin_ids: tuple[str, ...]) -> None:
        found = map(self._registry.find, plugin_ids)
        self._fleet.bring_up([p for p in found if p is not None and p.status == "error" and p.barred is None])

    def _regranted(self, plugin_id: str, taken: tuple[str, ...]) -> None:
        plugin = self._registry.find(plugin_id)
        if plugin is not None and taken and plugin.is_enabled:
            text = f"Plugin {plugin_id!r} may no longer use {', '.join(taken)}: taken away by the operator."
            self._revive(self._crashed(plugin_id, PermissionDeniedError(text, permission=taken[0], subject=plugin_id)))
        elif plugin is not None and not taken and not self._fleet.is_loaded(plugin) and plugin.barred is None:
            self._arrive([plugin.origin])

    def _stop(self) -> None:
        for plugin in reversed(self._registry.all()):
            if self._fleet.is_loaded(plugin):
                self._fleet.take_down(plugin)
