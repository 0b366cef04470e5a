"""List the plugins that were found, without running any of their code."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from corehost.contract.errors import ConflictError, CorehostError
from corehost.contract.manifest import Manifest
from corehost.contract.records import from_json
from corehost.plugins.culprits import Culprits
from corehost.plugins.manifests import read_manifest, require_name
from corehost.plugins.registry import Plugin, Registry
from corehost.plugins.sources import Origin, builtin_origins, installed_origins, local_origins
from corehost.state.choices import Choices


class Catalogue:
    """Finds plugins and makes their entries in the registry.

    The order of origins matters: of two plugins with one id the first is kept, and the other is listed as a fault.
    *culprits* are listed, and not to be loaded.
    *further* tells of plugins beyond those that are built in, packages, or in *folders*.
    """

    def __init__(
        self,
        registry: Registry,
        choices: Choices,
        culprits: Culprits,
        *,
        folders: Iterable[Path] = (),
        builtin_package: str | None = "builtin_plugins",
        entry_points: bool = True,
        further: Callable[[], Iterable[Origin]] = tuple,
    ) -> None:
        self._registry = registry
        self._choices = choices
        self.culprits = culprits
        self.folders = tuple(folders)
        self._builtin_package = builtin_package
        self._entry_points = entry_points
        self._further = further

    def origins(self) -> list[Origin]:
        """Return what can be found now: built-in, installed by the host and as packages, then local plugins."""
        builtin = builtin_origins(self._builtin_package) if self._builtin_package else []
        installed = installed_origins() if self._entry_points else []
        return [*builtin, *self._further(), *installed, *local_origins(self.folders)]

    def list(self, origins: Iterable[Origin], *, instead_of: Plugin | None = None) -> list[Plugin]:
        """Enter plugins into the registry, anew if they are known, and return those that may be loaded.

        No id that stays is missing meanwhile; *instead_of* is an entry that gives way to another origin of its id.
        """
        known = {plugin.origin: plugin for plugin in self._registry.all()}
        listed: dict[str, Plugin] = {}
        going = set() if instead_of is None else {instead_of.id}
        for origin in origins:
            if (entry := known.get(origin)) is not None:
                if entry.status not in ("disabled", "error"):
                    continue  # what is in memory stays as it is
                going.add(entry.id)
            plugin = self._entry(origin)
            self._bar_second(plugin, listed, going)
            listed[plugin.id] = plugin
        for plugin_id in going - listed.keys():
            self._registry.remove(plugin_id)
        self._registry.add(*listed.values())
        return [plugin for plugin in listed.values() if plugin.barred is None and not self._is_culprit(plugin)]

    def enter(self, plugin: Plugin) -> None:
        """Enter a plugin that is never loaded."""
        self._bar_second(plugin, {}, frozenset())
        self._registry.add(plugin)

    def rename(self, plugin: Plugin, manifest: Manifest) -> None:
        """List *plugin* under the id in its manifest, which only its code could tell."""
        if manifest.id == plugin.id:
            return
        if (other := self._registry.find(manifest.id)) is not None:
            raise ConflictError(_same_id(manifest.id, plugin, other))
        self._registry.remove(plugin.id)
        plugin.id = manifest.id
        self._registry.add(plugin)

    def is_wanted(self, plugin: Plugin) -> bool | None:
        """Tell whether the plugin shall be enabled; ``None`` if only its code can tell."""
        choice = self._choices.get(plugin.id)
        if choice is not None:
            return choice
        return None if plugin.manifest is None else plugin.manifest.enabled

    def _is_culprit(self, plugin: Plugin) -> bool:
        """Tell whether the plugin must stay off as it ended the process; its entry then says so."""
        error = self.culprits.accuse(plugin) if self.is_wanted(plugin) is not False else None
        if error is not None:
            self._registry.change(plugin, "error", error.text)
        return error is not None

    def _entry(self, origin: Origin) -> Plugin:
        plugin = Plugin(origin.plugin_id, origin)
        path = origin.manifest_path
        try:
            manifest = read_manifest(path) if path else self._remembered(origin)
            if manifest is not None:
                require_name(manifest, origin)
                plugin.id, plugin.manifest = manifest.id, manifest
        except (CorehostError, OSError) as error:
            plugin.status, plugin.error = "error", str(error)
        return plugin

    def _remembered(self, origin: Origin) -> Manifest | None:
        """Return the manifest of a plugin that is switched off and can tell it only by being imported."""
        if self._choices.get(origin.plugin_id) is not False:
            return None
        kept = self._choices.manifest(origin.plugin_id)
        try:
            return None if kept is None else from_json(Manifest, kept)
        except CorehostError:  # kept by an older host; the plugin is listed with less
            return None

    def _bar_second(self, plugin: Plugin, listed: Mapping[str, Plugin], going: Collection[str]) -> None:
        """If another plugin has the id already, list this one under an id of its own, as a fault."""

        def having(plugin_id: str) -> Plugin | None:
            return listed.get(plugin_id) or (None if plugin_id in going else self._registry.find(plugin_id))

        if (other := having(plugin.id)) is None:
            return
        plugin.barred = ConflictError(_same_id(plugin.id, plugin, other))
        plugin.status, plugin.error = "error", plugin.barred.text
        number, plugin_id = 2, plugin.id
        while having(f"{plugin_id}@{number}") is not None:
            number += 1
        plugin.id, plugin.manifest = f"{plugin_id}@{number}", None  # it must not be taken for the other's


def _same_id(plugin_id: str, plugin: Plugin, other: Plugin) -> str:
    return f"Two plugins have the id {plugin_id!r}: {other.origin} and {plugin.origin}. Remove one; the first is used."
