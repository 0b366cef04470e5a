"""Say what an upgrade would do, what stands in its way, and whom it would break."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from corehost.contract.compatibility import Change, compare, is_announced
from corehost.contract.manifest import Manifest
from corehost.messaging.bus import Bus
from corehost.plugins.consumers import Consumers
from corehost.plugins.declared import declared_by
from corehost.plugins.dependencies import resolve
from corehost.plugins.fleet import Fleet
from corehost.plugins.grants import Grants
from corehost.plugins.installation.candidate import Candidate
from corehost.plugins.installation.fetching import is_address
from corehost.plugins.manifests import package_problem
from corehost.plugins.plans import Breakage, Plan, Step, refusal, requests_of
from corehost.plugins.registry import Plugin, Registry


@dataclass(frozen=True, slots=True)
class _Impact:
    change: Change
    consumers: tuple[str, ...]

    @property
    def is_break(self) -> bool:
        # Whether a plugin sends what it also handles cannot be seen; that somebody listens for it is sign enough.
        is_heard = self.change.kind == "possible" and self.change.whom == "subscribers"
        return bool(self.consumers) and (self.change.kind == "breaking" or is_heard)


class Upgrades:
    """Compares a version that was tried with the one that runs; nothing is changed."""

    def __init__(self, registry: Registry, fleet: Fleet, bus: Bus, grants: Grants) -> None:
        self._registry = registry
        self._fleet = fleet
        self._bus = bus
        self._grants = grants
        self._consumers = Consumers(registry, bus)

    def plan(self, candidate: Candidate, plugin: Plugin) -> Plan:
        """Return what the upgrade of *plugin* to *candidate* would do now."""
        manifest, old = candidate.manifest, plugin.manifest
        unload = (*self._fleet.dependants(plugin), plugin.id) if plugin.is_enabled else ()
        asked = tuple(p for p in manifest.permissions if old is None or p not in old.permissions)
        packages = tuple(text for text in manifest.requires if old is None or text not in old.requires)
        impacts = self._impacts(candidate, plugin)
        return Plan(
            load=tuple(reversed(unload)),
            unload=unload,
            permissions={plugin.id: asked} if asked else {},
            requests=requests_of(plugin.id, asked, self._unagreed(candidate, plugin)),
            obstacles=tuple(self._obstacles(candidate, plugin)),
            upgrade=Step(before=plugin.version, after=manifest.version),
            packages=packages,
            breaks=tuple(Breakage(text=i.change.text, consumers=i.consumers) for i in impacts if i.is_break),
            warnings=tuple(self._warnings(candidate, plugin, impacts)),
        )

    def refusals(self, candidate: Candidate, plugin: Plugin | None) -> Iterator[str]:
        """Name each change that would break somebody who is there now."""
        if plugin is not None:
            for impact in self._impacts(candidate, plugin):
                if impact.is_break:
                    yield f"For {', '.join(impact.consumers)}: {impact.change.text}."

    def _impacts(self, candidate: Candidate, plugin: Plugin) -> list[_Impact]:
        if candidate.waits or plugin.contracts is None:
            return []
        changes = compare(declared_by(plugin), candidate.contracts)
        return [_Impact(change, self._consumers.of(plugin, change)) for change in changes if change.kind != "added"]

    def _warnings(self, candidate: Candidate, plugin: Plugin, impacts: Iterable[_Impact]) -> Iterator[str]:
        if candidate.waits or plugin.contracts is None:
            yield "The contracts could not be compared, as one of the two versions cannot run now."
            return
        if plugin.version and not is_announced(
            plugin.version, candidate.manifest.version, [impact.change for impact in impacts]
        ):
            yield f"The step from {plugin.version} to {candidate.manifest.version} does not announce what it breaks."
        for impact in impacts:
            if not impact.is_break:
                seen = (
                    "nobody on this host is seen to need it" if impact.change.kind == "breaking" else "mostly harmless"
                )
                yield f"{impact.change.text} ({seen})"

    def _unagreed(self, candidate: Candidate, plugin: Plugin) -> tuple[str, ...]:
        from_elsewhere = is_address(candidate.source)
        return self._grants.unagreed(candidate.manifest, plugin, from_elsewhere=from_elsewhere)

    def _obstacles(self, candidate: Candidate, plugin: Plugin) -> Iterator[str]:
        from_elsewhere = is_address(candidate.source)
        waits = refusal(self._grants.require_upgrade, candidate.manifest, plugin, from_elsewhere=from_elsewhere)
        yield from () if waits is None else (waits,)
        yield from self._chains(candidate.manifest, plugin)
        yield from filter(None, map(package_problem, candidate.manifest.requires))
        declared = self._bus.schemas()
        for schema in candidate.contracts.get("messages", {}).get("schemas", {}).values():
            owner = declared.get(schema["type"], (plugin.id,))[0]
            if owner != plugin.id:
                yield f"The message type {schema['type']!r} has a schema of {owner!r} already. One must choose another."

    def _chains(self, manifest: Manifest, plugin: Plugin) -> Iterator[str]:
        """Explain for the new version, and for each that needs it, why it could not be loaded."""
        if not plugin.is_enabled:
            return
        followers = {name: self._registry.get(name).manifest for name in self._fleet.dependants(plugin)}
        wanted = {name: found for name, found in followers.items() if found is not None} | {plugin.id: manifest}
        yield from (refusal.text for refusal in resolve(wanted, self._fleet.standings(wanted)).refused.values())
