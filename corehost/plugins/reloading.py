"""Change a running plugin over to its code as it is now, if that holds."""

from __future__ import annotations

from collections.abc import Callable
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
from corehost.plugins.life import Surroundings
from corehost.plugins.manifests import agreed_manifest, read_manifest, require_runnable
from corehost.plugins.places import place_of
from corehost.plugins.registry import Plugin

T = TypeVar("T")


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
                manifest = self._tried(plugin, stack)
                self._require_fit(plugin, manifest)
                self._change_over(plugin, manifest)
        except CorehostError as error:
            if plugin.is_enabled:
                self._host.announce.not_reloaded(plugin, error)
            raise

    def _tried(self, plugin: Plugin, stack: ExitStack) -> Manifest:
        """Return the manifest of the new code, which stays ready for use as long as *stack* is open."""
        try:
            if plugin.line is not None:
                return self._compiled(plugin)
            module = self._within(plugin, "import", lambda: stack.enter_context(self._staged(plugin)))
            return self._rehearsed(plugin, module)
        except Exception as error:
            self._host.faults.charge(plugin.id, error, where="reload")
            where = place_of(error, below=plugin.origin.path)
            text = f"Plugin {plugin.id!r} goes on as it was. Its new code failed: {described(error)}"
            raise PluginFaultError(f"{text} ({where})", plugin_id=plugin.id) from error

    def _staged(self, plugin: Plugin) -> Any:
        return self._host.loader.staged(plugin.origin)

    def _compiled(self, plugin: Plugin) -> Manifest:
        path = plugin.origin.path
        for file in sorted(path.rglob("*.py")) if path and path.is_dir() else [path] if path else []:
            compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
        beside = plugin.origin.manifest_path
        manifest = read_manifest(beside) if beside else plugin.manifest
        assert manifest is not None  # it runs
        return manifest

    def _rehearsed(self, plugin: Plugin, module: ModuleType) -> Manifest:
        """Ask the new code for all that it declares, as its load will."""
        host = self._host
        hooks = PluginHooks(plugin.id, module)
        beside = plugin.origin.manifest_path
        with closing(Coroutines(plugin.id)) as loop:

            def ask(hook: str) -> Any:
                return self._within(plugin, hook, lambda: loop.settle(hooks.ask(hook)))

            from_file = read_manifest(beside) if beside else None
            manifest = agreed_manifest(from_file, ask("corehost_manifest"), plugin.origin)
            require_runnable(manifest)
            limits = Limits(
                granted=host.grants.granted(plugin.origin, manifest),
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
        registry = self._host.registry
        going = [*map(registry.get, self._fleet.dependants(plugin)), plugin]
        with self._kept.keeping(other.id for other in going):
            for other in going:
                self._fleet.take_down(other)
            registry.describe(plugin, manifest)
            failures = self._fleet.bring_up(reversed(going))
        for other in reversed(going):
            if other.is_enabled:
                self._host.announce.reloaded(other)
        if plugin.id in failures:
            raise failures[plugin.id]

    def _within(self, plugin: Plugin, what: str, work: Callable[[], T]) -> T:
        return run_with_deadline(
            work,
            seconds=self._host.hook_seconds,
            what=f"{what!r} of plugin {plugin.id!r}",
            name=f"plugin-{plugin.id}",
        )
