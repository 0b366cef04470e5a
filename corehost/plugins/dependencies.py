"""Decide in which order plugins load, and explain why one cannot."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from corehost.contract.errors import DependencyError
from corehost.contract.manifest import Manifest, PluginDependency
from corehost.contract.versions import satisfies

Manifests = Mapping[str, Manifest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A known plugin that is not about to load; ``obstacle`` says why it cannot serve, ``None`` for an enabled one."""

    version: str
    obstacle: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """``order`` is in which order to load; ``refused`` gives for every other plugin the whole chain that bars it."""

    order: tuple[str, ...]
    refused: Mapping[str, DependencyError]


@dataclass(frozen=True, slots=True)
class _Chain:
    """Why a plugin cannot load, told from it down to the cause."""

    steps: tuple[str, ...]
    way_out: str


def load_order(manifests: Manifests) -> tuple[str, ...]:
    """Return all ids: dependencies first, then the higher priority, then by id; members of a cycle come last."""
    placed = _placed(manifests)
    return (*placed, *sorted(set(manifests) - set(placed), key=_rank(manifests)))


def resolve(wanted: Manifests, others: Mapping[str, Standing]) -> Resolution:
    """Decide which of *wanted* can load, given *others* that are known already."""
    order = _placed(wanted)
    chains: dict[str, _Chain] = {}
    for plugin_id in order:  # a dependency's verdict is known before its dependant's
        if chain := _first_chain(wanted[plugin_id], wanted, others, chains):
            chains[plugin_id] = chain
    for plugin_id in sorted(set(wanted) - set(order)):
        chains[plugin_id] = _cycle(plugin_id, wanted, set(wanted) - set(order))
    refused = {plugin_id: _error(plugin_id, chain) for plugin_id, chain in chains.items()}
    return Resolution(order=tuple(i for i in order if i not in chains), refused=refused)


def dependants_of(plugin_id: str, loaded: Manifests) -> tuple[str, ...]:
    """Return who of *loaded* needs the plugin, directly or not, in order of unloading."""
    needed_by: dict[str, list[str]] = {}
    for name, manifest in loaded.items():
        for dependency in _required(manifest):
            needed_by.setdefault(dependency.plugin_id, []).append(name)
    needing, open_ids = {plugin_id}, [plugin_id]
    while open_ids:
        found = set(needed_by.get(open_ids.pop(), ())) - needing
        needing |= found
        open_ids += found
    order = load_order({name: loaded[name] for name in needing if name in loaded})
    return tuple(name for name in reversed(order) if name != plugin_id)


def needs_of(plugin_id: str, known: Manifests) -> frozenset[str]:
    """Return what of *known* the plugin needs, directly or not."""
    found: set[str] = set()
    open_ids = [plugin_id]
    while open_ids:
        for dependency in _required(known[open_ids.pop()]):
            name = dependency.plugin_id
            if name in known and name not in found:
                found.add(name)
                open_ids.append(name)
    return frozenset(found - {plugin_id})


def absent_of(manifest: Manifest, present: Mapping[str, str]) -> tuple[str, ...]:
    """Return the optional dependencies that none of *present* (versions by id) satisfies."""
    return tuple(
        d.plugin_id
        for d in manifest.dependencies
        if d.optional and not (d.plugin_id in present and satisfies(present[d.plugin_id], d.version))
    )


def _required(manifest: Manifest) -> Iterator[PluginDependency]:
    return (dependency for dependency in manifest.dependencies if not dependency.optional)


def _rank(manifests: Manifests) -> Callable[[str], tuple[int, str]]:
    return lambda name: (-manifests[name].priority, name)


def _placed(manifests: Manifests) -> list[str]:
    """Sort topologically (Kahn); what is on a cycle, or needs what is, is left out."""
    rank = _rank(manifests)
    waiting = {name: {d.plugin_id for d in m.dependencies if d.plugin_id in manifests} for name, m in manifests.items()}
    needed_by: dict[str, list[str]] = {name: [] for name in manifests}
    for name, needs in waiting.items():
        for need in needs:
            needed_by[need].append(name)
    ready = [(rank(name), name) for name, needs in waiting.items() if not needs]
    heapq.heapify(ready)
    placed: list[str] = []
    while waiting:
        if not ready:
            # Only optional dependencies may be overlooked to break a knot.
            if (freed := _without_optional(manifests, waiting)) is None:
                break
            heapq.heappush(ready, (rank(freed), freed))
        name = heapq.heappop(ready)[1]
        del waiting[name]
        placed.append(name)
        for dependant in needed_by[name]:
            if dependant in waiting and name in waiting[dependant]:
                waiting[dependant].remove(name)
                if not waiting[dependant]:
                    heapq.heappush(ready, (rank(dependant), dependant))
    return placed


def _without_optional(manifests: Manifests, waiting: Mapping[str, set[str]]) -> str | None:
    free = [n for n, needs in waiting.items() if not needs & {d.plugin_id for d in _required(manifests[n])}]
    return min(free, key=_rank(manifests), default=None)


def _first_chain(
    manifest: Manifest, wanted: Manifests, others: Mapping[str, Standing], chains: Mapping[str, _Chain]
) -> _Chain | None:
    for dependency in _required(manifest):
        name = dependency.plugin_id
        step = _step(manifest.id, dependency)
        version = wanted[name].version if name in wanted else others[name].version if name in others else None
        if version is None:
            return _Chain((step, f"{name} is not installed"), f"Install {name!r}.")
        if not satisfies(version, dependency.version):
            return _Chain(
                (step, f"found {name} {version}"), f"Install a version of {name!r} within {dependency.version}."
            )
        if name in chains:
            return _Chain((step, *chains[name].steps), chains[name].way_out)
        if name in others and (obstacle := others[name].obstacle):
            return _Chain((step, f"{name} {obstacle}"), f"Enable {name!r} first.")
    return None


def _cycle(plugin_id: str, wanted: Manifests, knotted: set[str]) -> _Chain:
    """Follow the needs of *plugin_id* among the *knotted* until one comes again."""
    path, steps = [plugin_id], []
    while True:
        dependency = next(d for d in _required(wanted[path[-1]]) if d.plugin_id in knotted)
        steps.append(_step(path[-1], dependency))
        if dependency.plugin_id in path:
            return _Chain((*steps, "which is a cycle"), "Remove one of these dependencies or make it optional.")
        path.append(dependency.plugin_id)


def _step(plugin_id: str, dependency: PluginDependency) -> str:
    return f"{plugin_id} needs {dependency.plugin_id} {dependency.version}"


def _error(plugin_id: str, chain: _Chain) -> DependencyError:
    return DependencyError(f"Plugin {plugin_id!r} cannot be loaded: {', '.join(chain.steps)}. {chain.way_out}")
