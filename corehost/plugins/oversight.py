"""Watch over all plugins: keep their accounts, hold them back, and put back what they change of the process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from corehost.contract.budgets import Allowance
from corehost.messaging.assembly import Messaging
from corehost.plugins.announcements import Announcements
from corehost.plugins.containment import Containment
from corehost.plugins.faults import Faults
from corehost.plugins.guard import Guard
from corehost.plugins.leaks import Leaks
from corehost.plugins.options import PluginOptions
from corehost.plugins.overflow import Overflow
from corehost.plugins.quarantine import Lifecycle
from corehost.plugins.registry import Plugin, Registry

LOOK = 1.0
"""Seconds between two looks."""
Undo = Callable[[], None]
Note = Callable[[str, str], object]
"""Is told of each quarantine, with its reason, for the record."""


def watched_leaks(
    messaging: Messaging, faults: Faults, announce: Announcements, registry: Registry, options: PluginOptions
) -> Leaks:
    """Return what finds out what plugins leave behind, also on the bus."""
    seconds, find_keepers = options.leak_seconds, options.find_keepers
    leaks = Leaks(faults, announce, messaging.timers, registry.find, seconds=seconds, find_keepers=find_keepers)
    leaks.add_count("subscriptions", messaging.bus.count)
    leaks.add_count("handlers of events", messaging.events.count)
    leaks.add_count("calls under way", lambda plugin_id: messaging.calls.running().get(plugin_id, 0))
    return leaks


class Oversight:
    """Joins the accounts to what follows from them; it is a part of each plugin's life."""

    def __init__(
        self,
        lifecycle: Lifecycle,
        messaging: Messaging,
        registry: Registry,
        faults: Faults,
        announce: Announcements,
        options: PluginOptions,
        *,
        secrets_of: Callable[[str], list[str]],
        note: Note,
    ) -> None:
        self._messaging = messaging
        self._registry = registry
        self._faults = faults
        self.guard = Guard(registry, faults)
        self._overflow = Overflow(messaging.lanes.letters, registry, faults)
        self.containment = Containment(
            lifecycle,
            messaging,
            registry,
            faults,
            announce,
            first_pause=options.quarantine_seconds,
            minute=options.throttle_seconds,
            note=note,
        )
        self._closers = ExitStack()
        faults.join(
            version_of=self._version_of,
            warden=self.containment,
            secrets_of=secrets_of,
            allowance=Allowance(options.budgets),
        )

    def __call__(self, plugin: Plugin) -> Undo:
        """Let a plugin that goes live begin anew."""
        return self.containment(plugin)

    def start(self) -> None:
        """Take the process as it is for what it shall stay, and look at it from now on."""
        self.guard.begin()
        self._closers.callback(self.guard.end)
        self._closers.callback(self._messaging.timers.every(LOOK, self._look))

    def stop(self) -> None:
        """Look no more."""
        self._closers.close()

    def account(self, plugin_id: str) -> dict[str, Any]:
        """Return as JSON all that is written down of a plugin's present version, and whether it is held back."""
        return {**self._faults.summary(plugin_id), **self.containment.state(plugin_id)}

    def calls_running(self) -> Mapping[str, int]:
        """Return how many requests, methods and hooks each plugin works on now."""
        return self._messaging.calls.running()

    def _look(self) -> None:
        self._overflow.look()
        self.guard.look()

    def _version_of(self, plugin_id: str) -> str:
        plugin = self._registry.find(plugin_id)
        return plugin.version if plugin else ""
