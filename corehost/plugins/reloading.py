"""Change a running plugin over to its code as it is now, if that holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from types import ModuleType
from typing import Any, TypeVar

from corehost.contract.errors import ConflictError, CorehostError, PluginFaultError
from corehost.contract.manifest import Manifest
from corehost.plugins.contracts import Limits, collect
from corehost.plugins.coroutines import Coroutines
from corehost.plugins.deadlines import described, run_with_deadline
from corehost.plugins.dependencies import resolve
from corehost.plugins.fleet import Fleet
from corehost.plugins.hooks import PluginHooks
from corehost.plugins.keeping import KeptStores
from corehost.plugins.manifests import agreed_manifest, read_manifest, require_runnable
from corehost.plugins.places import place_of
from corehost.plugins.registry import Plugin
from corehost.plugins.sources import Origin
from corehost.plugins.surroundings import Surroundings

T = TypeVar("T")
Undo = Callable[[], None]


class Reloading:
    """Runs the new code beside the old, asks what it declares, and only then takes the old one down.

    The code is run once: what was tried is what is used. If it fails in its setup, the old one, which is still in
    memory, is set up again. A plugin that runs isolated has its code compiled only, as its process is made anew.
    Called on the life-cycle thread only.
    """

    def __init__(self, host: Surroundings, fleet: Fleet, kept: KeptStores) -> None:
        self._host = host
        self._fleet = fleet
        self._kept = kept

    def reload(self, plugin: Plugin) -> None:
        """Change *plugin* over, and what depends on it with it.

        Raises ``PluginFaultError`` that names file and line if the new code fails; the old one goes on then, unless
        the plugin runs isolated and got as far as its setup: then its status is ``error``.
        """
        try:
            with ExitStack() as stack:
                manifest = self._tried(plugin, plugin.origin, stack)
                self._require_fit(plugin, manifest)
                self._change_over(plugin, manifest)
        except CorehostError as error:
            if plugin.is_enabled:
                self._host.announce.not_reloaded(plugin, error)
            raise

    def replace(self, plugin: Plugin, origin: Origin, *, left: Undo, back: Undo, force: bool) -> None:
        """Change an enabled *plugin* over to the code at *origin*, and what depends on it with it.

        *left* is called when the old code is gone from memory and the new has not begun; *back* before the old comes
        back, which it does if anything fails. A dependant that fails with the new code counts, unless with *force*.
        """
        with ExitStack() as stack:
            manifest = self._tried(plugin, origin, stack)
            if not force:
                self._require_fit(plugin, manifest)
            before = plugin.origin, plugin.manifest
            going = [*map(self._host.registry.get, self._fleet.dependants(plugin)), plugin]
            awake = _awake(going)
            with self._kept.keeping(other.id for other in going):
                try:
                    failures = self._swap(going, origin, manifest, left, awake)
                    if failures and (plugin.id in failures or not force):
                        raise failures.get(plugin.id) or next(iter(failures.values()))
                except BaseException:
                    self._swap(going, *before, back, awake)
                    raise
        self._tell_reloaded(going)

    def put_back(
        self, plugin: Plugin, origin: Origin, manifest: Manifest | None, *, between: Undo, others: Iterable[str]
    ) -> None:
        """Change *plugin* over to the code at *origin* that ran before, with what depends on it, and with *others*
        if they failed meanwhile; *between* is called when nothing of the plugin is in memory."""
        failed = (self._host.registry.find(name) for name in others)
        revived = [other for other in failed if other is not None and other.status == "error"]
        dependants = [self._host.registry.get(name) for name in self._fleet.dependants(plugin)]
        going = [*revived, *(other for other in dependants if other not in revived), plugin]
        with self._kept.keeping(other.id for other in going):
            self._swap(going, origin, manifest, between, _awake(going))
        self._tell_reloaded(going)

    def _swap(
        self,
        going: Sequence[Plugin],
        origin: Origin,
        manifest: Manifest | None,
        between: Undo,
        awake: frozenset[str],
    ) -> dict[str, BaseException]:
        """Take all of *going* down, the last of which gets other code, and bring them up; return what failed.

        Of those that are loaded on demand the ones in *awake* are loaded at once.
        """
        plugin = going[-1]
        for other in going:
            self._fleet.take_down(other)
        between()
        plugin.origin = origin
        if manifest is not None:
            self._host.registry.describe(plugin, manifest)
        return self._fleet.bring_up(reversed(going), awake)

    def _tell_reloaded(self, plugins: Sequence[Plugin]) -> None:
        for other in reversed(plugins):
            if other.is_enabled:
                self._host.announce.reloaded(other)

    def _tried(self, plugin: Plugin, origin: Origin, stack: ExitStack) -> Manifest:
        """Return the manifest of the new code, which stays ready for use as long as *stack* is open."""
        if origin.kind == "external":  # runs isolated, and not as it lies there but as its archive has it
            return self._host.external.require(origin).manifest
        try:
            if plugin.line is not None or _asks_for_process(origin):
                return self._compiled(plugin, origin)
            module = self._within(plugin, "import", lambda: stack.enter_context(self._staged(origin)))
            return self._rehearsed(plugin, origin, module)
        except Exception as error:
            self._host.faults.charge(plugin.id, error, where="reload")
            where = place_of(error, below=origin.path)
            text = f"Plugin {plugin.id!r} goes on as it was. Its new code failed: {described(error)}"
            raise PluginFaultError(f"{text} ({where})", plugin_id=plugin.id) from error

    def _staged(self, origin: Origin) -> Any:
        return self._host.loader.staged(origin)

    def _compiled(self, plugin: Plugin, origin: Origin) -> Manifest:
        path = origin.path
        for file in sorted(path.rglob("*.py")) if path and path.is_dir() else [path] if path else []:
            compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
        beside = origin.manifest_path
        manifest = read_manifest(beside) if beside else plugin.manifest
        assert manifest is not None  # it runs
        return manifest

    def _rehearsed(self, plugin: Plugin, origin: Origin, module: ModuleType) -> Manifest:
        """Ask the new code for all that it declares, as its load will."""
        host = self._host
        hooks = PluginHooks(plugin.id, module)
        beside = origin.manifest_path
        with closing(Coroutines(plugin.id)) as loop:

            def ask(hook: str) -> Any:
                return self._within(plugin, hook, lambda: loop.settle(hooks.ask(hook)))

            from_file = read_manifest(beside) if beside else None
            manifest = agreed_manifest(from_file, ask("corehost_manifest"), origin)
            require_runnable(manifest)
            limits = Limits(
                granted=host.grants.granted(origin, manifest),
                asked=manifest.permissions,
                base_path=host.base_paths.get(plugin.id, f"/{plugin.id}"),
                others={other.id for other in host.registry.all()} - {plugin.id},
            )
            collect(plugin.id, ask, limits)
        return manifest

    def _require_fit(self, plugin: Plugin, manifest: Manifest) -> None:
        """Raise ``DependencyError`` if the new version lacks what it needs, or does not suffice for who needs it."""
        if manifest.id != plugin.id:
            text = f"Plugin {plugin.id!r} calls itself {manifest.id!r} now. Disable it, then rename its folder."
            raise ConflictError(text)
        self._host.grants.require_consent(plugin, manifest)
        registry = self._host.registry
        followers = {name: registry.get(name).manifest for name in self._fleet.dependants(plugin)}
        wanted = {name: found for name, found in followers.items() if found is not None} | {plugin.id: manifest}
        for refusal in resolve(wanted, self._fleet.standings(wanted)).refused.values():
            raise refusal

    def _change_over(self, plugin: Plugin, manifest: Manifest) -> None:
        going = [*map(self._host.registry.get, self._fleet.dependants(plugin)), plugin]
        awake, before = _awake(going), plugin.manifest
        with ExitStack() as stack, self._kept.keeping(other.id for other in going):
            again = self._held(plugin, stack)
            failure = self._swap(going, plugin.origin, manifest, lambda: None, awake).get(plugin.id)
            if failure is not None and again is not None:
                self._swap(going, plugin.origin, before, again, awake)
        if failure is None:
            self._tell_reloaded(going)
            return
        self._tell_reloaded(going[:-1])
        raise _late(plugin, failure) if plugin.is_enabled else failure

    def _held(self, plugin: Plugin, stack: ExitStack) -> Undo | None:
        """Keep the code in memory that *plugin* runs, until *stack* is closed; return how to have it loaded again."""
        if plugin.module is None or plugin.manifest is None:
            return None
        return stack.enter_context(self._host.loader.holding(plugin.origin, plugin.module, plugin.manifest))

    def _within(self, plugin: Plugin, what: str, work: Callable[[], T]) -> T:
        return run_with_deadline(
            work,
            seconds=self._host.hook_seconds,
            what=f"{what!r} of plugin {plugin.id!r}",
            name=f"plugin-{plugin.id}",
        )


def _awake(plugins: Iterable[Plugin]) -> frozenset[str]:
    """Return which of *plugins* are in memory, and shall be there at once after a change."""
    return frozenset(plugin.id for plugin in plugins if plugin.is_loaded)


def _late(plugin: Plugin, failure: BaseException) -> PluginFaultError:
    """Return what tells that *plugin* had been taken down for new code that failed, and is back."""
    cause = failure.__cause__
    where = "" if cause is None else f" ({place_of(cause, below=plugin.origin.path)})"
    text = f"Plugin {plugin.id!r} is back as it was. Its new code failed: {described(failure)}{where}"
    error = PluginFaultError(text, plugin_id=plugin.id)
    error.__cause__ = failure
    return error


def _asks_for_process(origin: Origin) -> bool:
    """Tell whether the code wants to run isolated, so that it must not be imported here."""
    beside = origin.manifest_path
    return beside is not None and read_manifest(beside).isolation == "process"
