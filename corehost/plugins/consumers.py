"""Find the plugins that a change of another one's contract would hit now."""

from __future__ import annotations

from corehost.contract.compatibility import Change
from corehost.messaging.bus import Bus
from corehost.plugins.registry import Plugin, Registry

_LOOK_BACK = 1_000


class Consumers:
    """Looks at who is there now: subscriptions, what was seen in use, and who declares that it depends on the plugin.

    Pages in browsers and programs outside of the host are not seen.
    """

    def __init__(self, registry: Registry, bus: Bus) -> None:
        self._registry = registry
        self._bus = bus

    def of(self, plugin: Plugin, change: Change) -> tuple[str, ...]:
        """Return the ids of the enabled plugins that *change* hits, sorted."""
        if change.whom == "subscribers":
            found = self._subscribers(change.name)
        elif change.whom == "senders":
            found = self._senders(change.name) | self._dependants(plugin)
        else:
            found = plugin.usage.of(change.whom, change.name, plugin.generation)
            found |= frozenset() if change.whom == "writers" else self._dependants(plugin)
        enabled = {other.id for other in self._registry.enabled()}
        return tuple(sorted((found & enabled) - {plugin.id}))

    def _subscribers(self, message_type: str) -> frozenset[str]:
        # Who hears messages of every domain relies on the shape of none.
        heard = self._bus.subscribers(message_type)
        return frozenset(owner for owner, pattern in heard if "*" not in pattern.partition(":")[0])

    def _senders(self, message_type: str) -> frozenset[str]:
        return frozenset(message.source for message in self._bus.get_history(message_type, _LOOK_BACK))

    def _dependants(self, plugin: Plugin) -> frozenset[str]:
        """Return who depends on the plugin itself: who does so through another uses that one."""
        manifests = self._registry.manifests()
        return frozenset(n for n, m in manifests.items() if any(d.plugin_id == plugin.id for d in m.dependencies))
