"""Hold back plugins that harm others, and tell what they did."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from corehost.messaging.assembly import Messaging
from corehost.messaging.faults import Blockage
from corehost.plugins.announcements import Announcements
from corehost.plugins.faults import Faults
from corehost.plugins.quarantine import Lifecycle, Quarantines
from corehost.plugins.registry import Plugin, Registry
from corehost.plugins.restraint import PLACES, Restraint
from corehost.plugins.stacks import code_of, shown, stack_of, task_stacks, trimmed

MINUTE = 60.0
"""Seconds for which a plugin is throttled."""
Undo = Callable[[], None]
Restrict = Callable[[str, int | None], None]
"""Lets at most so many threads be inside a plugin at once; ``None`` for as many as usual."""


class Containment:
    """Throttles and quarantines plugins as their accounts demand it, and is a part of each one's life.

    Throttled, a plugin handles few messages a second, few requests at once, and may send little; nobody else is slowed
    down by that. It is for a minute: then it is free, or quarantined. *note* is told of each quarantine, with the
    reason, for the record.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        messaging: Messaging,
        registry: Registry,
        faults: Faults,
        announce: Announcements,
        *,
        first_pause: float,
        note: Callable[[str, str], object] = lambda *_: None,
        minute: float = MINUTE,
    ) -> None:
        self._note = note
        self._messaging = messaging
        self._registry = registry
        self._faults = faults
        self._announce = announce
        self._minute = minute
        self._quarantines = Quarantines(lifecycle, messaging.timers, first_pause=first_pause)
        self._lock = threading.Lock()
        self._restraints: dict[str, Restraint] = {}
        self._restrictions: list[Restrict] = [messaging.calls.restrict]

    def add(self, restrict: Restrict) -> None:
        """Have *restrict* called, too, for a plugin that is throttled, and when that is over."""
        self._restrictions.append(restrict)

    def __call__(self, plugin: Plugin) -> Undo:
        """Let a plugin that goes live begin anew."""
        self._faults.forgive(plugin.id)
        self._quarantines.is_back(plugin.id, plugin.version)
        return lambda: self._lift(plugin.id, plugin.version)

    def throttle(self, owner: str, reason: str) -> None:
        """Slow *owner* down for a minute."""
        plugin = self._registry.find(owner)
        if plugin is None:
            return
        restraint = Restraint(owner, reason)
        with self._lock:
            if owner in self._restraints:
                return
            self._restraints[owner] = plugin.restraint = restraint
            plugin.restrain(restraint)
        for restrict in self._restrictions:
            restrict(owner, PLACES)
        version = plugin.version
        self._messaging.timers.later(self._minute, lambda: self._lift(owner, version, restraint))
        self._announce.held_back(plugin, "throttled", reason)

    def quarantine(self, owner: str, reason: str) -> None:
        """Switch *owner* off, and try it again later."""
        plugin = self._registry.find(owner)
        if plugin is not None:
            self._note(owner, reason)
            self._quarantines.begin(owner, plugin.version, reason)

    def pace(self, owner: str, count: int) -> None:
        """Hold up the lane's thread of *owner* for a while, if it is throttled."""
        restraint = self._restraints.get(owner)
        if restraint is not None:
            restraint.rest(count)

    def blocked(self, owner: str, blockage: Blockage) -> dict[str, Any]:
        """Tell that a lane stands still; return the evidence: message, and the lines of the stack."""
        message, plugin = blockage.message, self._registry.find(owner)
        evidence = {
            "message": None if message is None else message.id,
            "type": None if message is None else message.type,
            "stack": _stack(blockage, plugin),
        }
        if plugin is not None:
            self._announce.blocked(plugin, {"where": blockage.where, "seconds": blockage.seconds, **evidence})
        return evidence

    def state(self, plugin_id: str) -> dict[str, Any]:
        """Return as JSON whether a plugin is held back: why it is ``throttled``, all about it if ``quarantined``."""
        restraint = self._restraints.get(plugin_id)
        return {
            "throttled": None if restraint is None else restraint.reason,
            "quarantined": self._quarantines.state(plugin_id),
        }

    def _lift(self, owner: str, version: str, of: Restraint | None = None) -> None:
        with self._lock:
            restraint = self._restraints.get(owner)
            if restraint is None or (of is not None and restraint is not of):
                return
            del self._restraints[owner]
            if (plugin := self._registry.find(owner)) is not None:
                plugin.restraint = None
                plugin.restrain(None)
        restraint.lift()
        for restrict in self._restrictions:
            restrict(owner, None)
        self._faults.forgive(owner, version)
        if plugin is not None and of is not None:
            self._announce.held_back(plugin, "released", "A minute has passed.")


def _stack(blockage: Blockage, plugin: Plugin | None) -> list[str]:
    """Return where the lane is stuck, in the plugin's own code if it is; a coroutine is stuck on its loop."""
    stack = stack_of(blockage.frame)
    below = None if plugin is None else code_of(plugin)
    if lines := trimmed(stack, below):
        return lines
    loop = plugin.coroutines.loop if plugin is not None and plugin.coroutines is not None else None
    for waiting in task_stacks(loop) if loop is not None else ():
        if lines := trimmed(waiting, below):
            return lines
    return shown(stack[-3:])
