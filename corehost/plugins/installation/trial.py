"""Watch a version for its first seconds, and say when it does not hold."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from corehost.plugins.registry import Registry

_LOOK = 0.2
"""Seconds between two looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """What is charged to a plugin's version: how many errors, and the last one."""

    count: int
    last: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Holds a version to *most_errors* within *seconds*; *errors_of* tells what is charged to a plugin."""

    registry: Registry
    errors_of: Callable[[str], Errors]
    seconds: float = 30.0
    most_errors: int = 10

    def watch(
        self, plugin_id: str, version: str, *, come_back: threading.Event, stopped: threading.Event
    ) -> str | None:
        """Return why the version has to give way, ``None`` if it passed or the host stops.

        One that is switched off meanwhile by the operator has passed.
        """
        before = self.errors_of(plugin_id).count
        until = time.monotonic() + self.seconds
        while time.monotonic() < until and not stopped.is_set():
            if come_back.wait(_LOOK):
                return "The operator asked for the version before."
            plugin = self.registry.find(plugin_id)
            if plugin is None or plugin.status == "disabled":
                return None
            if plugin.status == "error":
                return f"Version {version} failed: {plugin.error}"
            errors = self.errors_of(plugin_id)
            if errors.count - before > self.most_errors:
                count = f"{errors.count - before} errors in its first {self.seconds:g} s, at most {self.most_errors}"
                return f"Version {version} made {count} are allowed; the last: {errors.last}"
        return None
