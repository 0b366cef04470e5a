"""Say what a change of plugins would do, and what stands in its way."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal

from corehost.contract.errors import CorehostError, DependantsError, NotAllowedError
from corehost.contract.meanings import meaning_of
from corehost.plugins.dependencies import load_order, needs_of, resolve
from corehost.plugins.fleet import Fleet
from corehost.plugins.grants import Grants
from corehost.plugins.registry import Plugin, Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From which version to which."""

    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakage:
    """A change of a contract that hits plugins which are enabled now."""

    text: str
    consumers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A permission that a plugin asks for: what it lets it do, and whether it awaits that somebody agrees."""

    plugin: str
    permission: str
    meaning: str
    awaits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a change would do: which plugins to load and to unload, in order; which permissions each that is loaded
    asks for, by plugin id (of an upgrade: those that are new), and as ``requests`` in words; and what stands in the
    way, each as the chain of needs that leads there.

    Of an upgrade also the step, the Python ``packages`` that are asked for anew, whom it ``breaks``, and ``warnings``.
    """

    load: tuple[str, ...] = ()
    unload: tuple[str, ...] = ()
    permissions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    requests: tuple[Request, ...] = ()
    obstacles: tuple[str, ...] = ()
    upgrade: Step | None = None
    packages: tuple[str, ...] = ()
    breaks: tuple[Breakage, ...] = ()
    warnings: tuple[str, ...] = ()


class Plans:
    """Looks ahead; nothing is changed. With ``safe_mode`` only built-in plugins may be loaded."""

    def __init__(self, registry: Registry, fleet: Fleet, grants: Grants, *, safe_mode: bool) -> None:
        self._registry = registry
        self._fleet = fleet
        self._grants = grants
        self._safe_mode = safe_mode

    def plan(self, plugin_id: str, status: Literal["enabled", "disabled"], *, cascade: bool) -> Plan:
        """Return what enabling or disabling a plugin would do now; raises ``NotFoundError``."""
        plugin = self._registry.get(plugin_id)
        if status == "disabled":
            return self._disabling(plugin, cascade)
        return Plan() if plugin.is_enabled else self._enabling(plugin, cascade)

    def reloading(self, plugin_id: str) -> Plan:
        """Return which plugins would be loaded anew with *plugin_id*."""
        plugin = self._registry.get(plugin_id)
        unload = (*self._fleet.dependants(plugin), plugin_id) if plugin.is_enabled else ()
        obstacles = (f"Plugin {plugin_id!r} is disabled. Enable it first.",) if plugin.status == "disabled" else ()
        return Plan(load=tuple(reversed(unload)) or (plugin_id,), unload=unload, obstacles=obstacles)

    def needs(self, plugin: Plugin, *, all_of_them: bool = False) -> list[str]:
        """Return what the plugin needs and is not enabled, in load order."""
        manifests = self._registry.manifests()
        found = needs_of(plugin.id, manifests) if plugin.id in manifests else frozenset()
        order = load_order({name: manifests[name] for name in found})
        return [name for name in order if all_of_them or not self._registry.get(name).is_enabled]

    def require_resolvable(self, plugin: Plugin, needs: Iterable[str]) -> None:
        """Raise ``DependencyError`` with the chain unless the plugin could be loaded together with *needs*."""
        needs = tuple(needs)
        manifests = self._registry.manifests()
        wanted = {name: manifests[name] for name in (*needs, plugin.id) if name in manifests}
        refused = resolve(wanted, self._fleet.standings(wanted)).refused
        if plugin.id in refused:
            raise refused[plugin.id]
        for name in needs:
            self.require_allowed(self._registry.get(name))

    def require_allowed(self, plugin: Plugin) -> None:
        """Raise unless the plugin may be loaded, as this host runs."""
        if plugin.barred is not None:
            raise plugin.barred
        if not self.is_safe(plugin):
            raise NotAllowedError(f"In safe mode only built-in plugins run, not {plugin.id!r}. Restart without it.")
        self.require_consent(plugin)

    def require_consent(self, plugin: Plugin) -> None:
        """Raise ``ConsentNeededError`` if the plugin asks for what nobody has agreed to yet."""
        if plugin.manifest is not None:
            self._grants.require_consent(plugin, plugin.manifest)

    def is_safe(self, plugin: Plugin) -> bool:
        """Tell whether the plugin may run in the mode that the host is in."""
        return not self._safe_mode or plugin.origin.kind == "builtin"

    def _disabling(self, plugin: Plugin, cascade: bool) -> Plan:
        dependants = self._fleet.dependants(plugin)
        obstacles = () if cascade or not dependants else (needed(plugin.id, dependants).text,)
        return Plan(unload=(*dependants, plugin.id), obstacles=obstacles)

    def _enabling(self, plugin: Plugin, cascade: bool) -> Plan:
        needs = self.needs(plugin) if cascade else []
        load = (*needs, plugin.id)
        obstacles = (refusal(self.require_allowed, plugin), refusal(self.require_resolvable, plugin, needs))
        found = tuple(dict.fromkeys(text for text in obstacles if text is not None))
        known = {name: manifest for name in load if (manifest := self._registry.get(name).manifest) is not None}
        requests = (
            requests_of(name, manifest.permissions, self._grants.undecided(self._registry.get(name).origin, manifest))
            for name, manifest in known.items()
        )
        return Plan(
            load=load,
            permissions={name: manifest.permissions for name, manifest in known.items()},
            requests=tuple(chain.from_iterable(requests)),
            obstacles=found,
        )


def requests_of(plugin_id: str, asked: Iterable[str], undecided: Container[str]) -> tuple[Request, ...]:
    """Return in words what a plugin asks for; what is *undecided* awaits that somebody agrees."""
    return tuple(
        Request(plugin=plugin_id, permission=name, meaning=meaning_of(name), awaits=name in undecided) for name in asked
    )


def refusal(require: Callable[..., None], *arguments: Any, **options: Any) -> str | None:
    """Return why *require* raises, ``None`` if it does not."""
    try:
        require(*arguments, **options)
    except CorehostError as error:
        return error.text
    return None


def needed(plugin_id: str, dependants: tuple[str, ...]) -> DependantsError:
    """Return the refusal to unload a plugin that others need."""
    names = ", ".join(dependants)
    text = f"Plugin {plugin_id!r} is needed by {names}. Disable those first, or all together with 'cascade'."
    return DependantsError(text, dependants)
