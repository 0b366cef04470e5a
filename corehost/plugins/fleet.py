"""Bring plugins up and down together, so that none runs without what it needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Literal

from corehost.contract.errors import DisabledError, PluginFaultError
from corehost.contract.manifest import Manifest
from corehost.contract.records import to_json
from corehost.plugins.catalogue import Catalogue
from corehost.plugins.changes import Changes
from corehost.plugins.deadlines import described
from corehost.plugins.dependencies import Standing, dependants_of, resolve
from corehost.plugins.dormant import Sleep, Stay, may_sleep
from corehost.plugins.leaks import Leaks
from corehost.plugins.life import Life
from corehost.plugins.registry import Plugin, Registry
from corehost.plugins.surroundings import Surroundings
from corehost.state.choices import Choices


class Fleet:
    """All plugins that are in memory. Its methods are called on the life-cycle thread only."""

    def __init__(self, host: Surroundings, catalogue: Catalogue, choices: Choices, leaks: Leaks) -> None:
        self._host = host
        self._registry = host.registry
        self._catalogue = catalogue
        self._choices = choices
        self._leaks = leaks
        self._lives: dict[str, Life] = {}
        self._stays: dict[str, Stay] = {}
        self.changes = Changes()

    def bring_up(self, plugins: Iterable[Plugin], awake: Collection[str] = ()) -> dict[str, BaseException]:
        """Load what can be loaded, in order; whatever fails is left as an error, and returned by id.

        Those that are loaded on demand sleep on, but for what others need, and those in *awake*.
        """
        failures: dict[str, BaseException] = {}
        ready = []
        for plugin in plugins:
            if (error := self.read(plugin)) is None:
                ready.append(plugin)
            else:
                failures[plugin.id] = error
        wanted = {p.id: p.manifest for p in ready if p.manifest is not None}
        resolution = resolve(wanted, self.standings(wanted))
        for plugin_id, refusal in resolution.refused.items():
            self.fail(self._registry.get(plugin_id), refusal)
            failures[plugin_id] = refusal
        for plugin_id in resolution.order:
            if (error := self._load(self._registry.get(plugin_id), plugin_id in awake)) is not None:
                failures[plugin_id] = error
        return failures

    def read(self, plugin: Plugin) -> BaseException | None:
        """See that the manifest is known, importing the plugin if only its code can tell; return what failed."""
        if plugin.manifest is not None and plugin.origin.manifest_path is not None:
            return None
        return self._contained(plugin, lambda: self._open(plugin))

    def is_loaded(self, plugin: Plugin) -> bool:
        """Tell whether some of the plugin is in memory."""
        return plugin.id in self._lives or plugin.id in self._stays

    def wake(self, plugin: Plugin) -> None:
        """Load a plugin that sleeps, after those that it needs; raises what its load raised, ``DisabledError``."""
        if plugin.id not in self._stays:
            raise DisabledError(f"Plugin {plugin.id!r} is {plugin.status}. Enable it first.")
        if plugin.sleep is not None and not plugin.sleep.is_over:
            error = self._contained(plugin, lambda: self._wake(plugin))
            if error is not None:
                raise error

    def take_down(self, plugin: Plugin) -> None:
        """Unload one plugin; its status is then ``disabled``, or ``error`` if it raised on the way."""
        life, slept = self._lives.pop(plugin.id, None), plugin.id in self._stays
        failure = self._close(plugin, life)
        what: Literal["disabled", "error"] = "disabled" if failure is None else "error"
        self._registry.change(plugin, what, None if failure is None else described(failure))
        if life is not None and life.was_set_up:
            self._host.announce.plugin(plugin, "unloaded")
        if slept or (life is not None and life.was_set_up):
            self._host.announce.plugin(plugin, what)

    def test(self, plugin: Plugin) -> None:
        """Have a plugin that is in memory test itself; raises ``PluginFaultError`` if that fails."""
        if plugin.is_dormant:
            self.wake(plugin)
        self._lives[plugin.id].test_itself()

    def fail(self, plugin: Plugin, error: BaseException) -> None:
        """Unwind a plugin for *error* and leave it listed with the reason; its dependants go with it."""
        for name in self.dependants(plugin):
            reason = f"Plugin {name!r} needs {plugin.id!r}, which failed: {described(error)}"
            self._end(self._registry.get(name), PluginFaultError(reason, plugin_id=plugin.id))
        self._end(plugin, error)

    def dependants(self, plugin: Plugin) -> tuple[str, ...]:
        """Return which enabled plugins need *plugin*, in order of unloading."""
        loaded = {p.id: p.manifest for p in self._registry.enabled() if p.manifest is not None}
        if plugin.manifest is None:
            return ()
        return dependants_of(plugin.id, {**loaded, plugin.id: plugin.manifest})

    def standings(self, besides: Iterable[str] = ()) -> Mapping[str, Standing]:
        """Return how all known plugins stand, but for those in *besides*."""
        return _Standings(self._registry, frozenset(besides))

    def _open(self, plugin: Plugin) -> None:
        if plugin.barred is not None:
            raise plugin.barred
        if plugin.id in self._lives:
            return
        life = Life(plugin, self._host)
        listed_as = plugin.id
        self._lives[listed_as] = life
        manifest = life.open()
        self._catalogue.rename(plugin, manifest)
        self._lives[plugin.id] = self._lives.pop(listed_as)
        self._registry.describe(plugin, manifest)
        self._choices.remember(plugin.id, to_json(manifest))

    def _load(self, plugin: Plugin, is_awake: bool) -> BaseException | None:
        return self._contained(plugin, lambda: self._carry_up(plugin, is_awake))

    def _carry_up(self, plugin: Plugin, is_awake: bool) -> None:
        assert plugin.manifest is not None  # what "bring_up" made sure of
        # What it needs may have failed since the order was made.
        refused = resolve({plugin.id: plugin.manifest}, self.standings([plugin.id])).refused
        if plugin.id in refused:
            raise refused[plugin.id]
        if may_sleep(plugin) and not is_awake:
            self._lay_down(plugin)
            return
        self._wake_needs(plugin.manifest)
        self._open(plugin)
        self._lives[plugin.id].load()

    def _lay_down(self, plugin: Plugin) -> None:
        if plugin.barred is not None:
            raise plugin.barred
        if plugin.origin.kind == "external":
            plugin.proof = self._host.external.refresh(plugin.origin)
            self._registry.describe(plugin, plugin.proof.manifest)  # not as it lay on the disk
        stay = Stay(plugin, self._host, Sleep(self.changes, lambda: self.wake(plugin)))
        self._stays[plugin.id] = stay
        stay.open()

    def _wake(self, plugin: Plugin) -> None:
        assert plugin.manifest is not None  # it was laid down
        assert plugin.sleep is not None
        self._wake_needs(plugin.manifest)
        self._open(plugin)
        self._lives[plugin.id].load()
        plugin.sleep.is_over = True

    def _wake_needs(self, manifest: Manifest) -> None:
        for dependency in manifest.dependencies:
            needed = self._registry.find(dependency.plugin_id)
            if needed is not None and needed.is_dormant:
                self.wake(needed)

    def _contained(self, plugin: Plugin, step: Callable[[], None]) -> BaseException | None:
        try:
            step()
        except BaseException as error:  # noqa: BLE001  # a plugin may raise anything; the others must still load
            self.fail(plugin, error)
            return error
        return None

    def _end(self, plugin: Plugin, error: BaseException) -> None:
        life = self._lives.pop(plugin.id, None)
        if life is not None:
            life.tell_error(error)
        self._close(plugin, life)
        self._registry.change(plugin, "error", described(error))
        if life is not None and life.was_set_up:
            self._host.announce.plugin(plugin, "unloaded")
        self._host.announce.plugin(plugin, "error")

    def _close(self, plugin: Plugin, life: Life | None) -> Exception | None:
        gone = self._leaks.going(plugin) if life is not None else None
        failure = life.close() if life is not None else None
        if (stay := self._stays.pop(plugin.id, None)) is not None:
            stay.close()
        if gone is not None:
            gone()
        return failure


class _Standings(Mapping[str, Standing]):
    """Looks only at the plugins that are asked for: to toggle one of a thousand must not take a thousand looks."""

    def __init__(self, registry: Registry, left_out: frozenset[str]) -> None:
        self._registry = registry
        self._left_out = left_out

    def __getitem__(self, plugin_id: str) -> Standing:
        plugin = None if plugin_id in self._left_out else self._registry.find(plugin_id)
        if plugin is None or plugin.manifest is None:
            raise KeyError(plugin_id)
        obstacle = None
        if not plugin.is_enabled:
            obstacle = f"failed: {plugin.error}" if plugin.status == "error" else f"is {plugin.status}"
        return Standing(version=plugin.version, obstacle=obstacle)

    def __iter__(self) -> Iterator[str]:
        return (plugin_id for plugin_id in self._registry.manifests() if plugin_id not in self._left_out)

    def __len__(self) -> int:
        return sum(1 for _ in self)
