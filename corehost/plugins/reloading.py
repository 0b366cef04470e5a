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

    The code is run once: what was tried is what is used. A plugin that runs isolated has its code compiled only, as
    its process is made anew. Called on the life-cycle thread only.
    """

    def __init__(self, host: Surroundings, fleet: Fleet, kept: KeptStores) -> None:
        self._host = host
        self._fleet = fleet
        self._kept = kept

    def reload(self, plugin: Plugin) -> None:
        """Change *plugin* over, and what depends on it with it.

        Raises ``PluginFaultError`` that names file and line if the new code fails; before it is in use the old one
        goes on, afterwards the plugin's status is ``error``.
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
            with self._kept.keeping(other.id for other in going):
                try:
                    failures = self._swap(going, origin, manifest, left)
                    if failures and (plugin.id in failures or not force):
                        raise failures.get(plugin.id) or next(iter(failures.values()))
                except BaseException:
                    self._swap(going, *before, back)
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
            self._swap(going, origin, manifest, between)
        self._tell_reloaded(going)

    def _swap(
        self, going: Sequence[Plugin], origin: Origin, manifest: Manifest | None, between: Undo
    ) -> dict[str, BaseException]:
        """Take all of *going* down, the last of which gets other code, and bring them up; return what failed."""
        plugin = going[-1]
        awake = {other.id for other in going if not other.is_dormant and other.is_enabled}
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
        if origin.kind == "external":
            return self._host.external.require(origin).manifest  # what lies unpacked is not what will run
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
        with self._kept.keeping(other.id for other in going):
            failures = self._swap(going, plugin.origin, manifest, lambda: None)
        self._tell_reloaded(going)
        if plugin.id in failures:
            raise failures[plugin.id]

    def _within(self, plugin: Plugin, what: str, work: Callable[[], T]) -> T:
        return run_with_deadline(
            work,
            seconds=self._host.hook_seconds,
            what=f"{what!r} of plugin {plugin.id!r}",
            name=f"plugin-{plugin.id}",
        )


def _asks_for_process(origin: Origin) -> bool:
    """Tell whether the code must run isolated, so that it must not be imported here."""
    beside = origin.manifest_path
    return origin.kind == "external" or (beside is not None and read_manifest(beside).isolation == "process")
