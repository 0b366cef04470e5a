"""Tell at once of any plugin that fails, for hosts on which none may."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from corehost.contract.errors import NotAllowedError
from corehost.plugins.faults import Faults
from corehost.plugins.registry import Registry

Undo = Callable[[], None]
Tell = Callable[[str], Any]


def watch_strictly(registry: Registry, faults: Faults, tell: Tell) -> Undo:
    """Call *tell* with a text for each fault that is charged, and for each plugin whose status becomes ``error``.

    A plugin that only waits for the operator's permission has not failed.
    """
    told: set[tuple[str, str]] = set()

    def charged(owner: str, fault: Mapping[str, Any]) -> None:
        plugin = registry.find(owner)
        version = f" {plugin.version}" if plugin and plugin.version else ""
        place = f" ({fault['place']})" if fault.get("place") else ""
        tell(f"Plugin {owner!r}{version} failed in its {fault['where']}: {fault['error']}{place}")

    def changed(summaries: tuple[Mapping[str, Any], ...]) -> None:
        for entry in summaries:
            key = entry["id"], str(entry["error"])
            plugin = registry.find(entry["id"])
            waits = plugin is not None and isinstance(plugin.barred, NotAllowedError)
            if entry["status"] == "error" and not waits and key not in told:
                told.add(key)
                tell(f"Plugin {entry['id']!r} {entry['version']} is off: {entry['error']}")

    faults.watch(charged)
    return registry.store().subscribe(changed)
