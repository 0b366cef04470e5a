"""Bring isolated plugins back whose process has died, ever later, until they are left off."""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, Protocol

from corehost.contract.errors import ConflictError, PluginFaultError
from corehost.messaging.faults import FaultSink

FIRST_PAUSE: Final = 0.5
DEATHS: Final = 5
WINDOW: Final = 300.0


class Revives(Protocol):
    """What of the life cycle is needed."""

    def submit_crashed(self, plugin_id: str, error: Exception) -> Future[tuple[str, ...]]:
        """Take an enabled plugin down for *error*, with its dependants; the result names all of them."""

    def submit_revive(self, plugin_ids: tuple[str, ...]) -> Any:
        """Load those again that are still as the crash left them."""


class Later(Protocol):
    """Calls something once, after so many seconds."""

    def later(self, seconds: float, run: Callable[[], Any]) -> Any: ...


class Restarts:
    """Counts the deaths of each plugin: after *deaths* within *window* seconds it is quarantined."""

    def __init__(
        self,
        lifecycle: Revives,
        timers: Later,
        faults: FaultSink,
        *,
        first_pause: float = FIRST_PAUSE,
        deaths: int = DEATHS,
        window: float = WINDOW,
    ) -> None:
        self._lifecycle = lifecycle
        self._timers = timers
        self._faults = faults
        self._first_pause = first_pause
        self._deaths = deaths
        self._window = window
        self._lock = threading.Lock()
        self._died_at: defaultdict[str, deque[float]] = defaultdict(deque)

    def died(self, plugin_id: str, reason: str) -> None:
        """Take note that the process of a plugin ended for *reason*, and see to what follows."""
        error = PluginFaultError(f"Plugin {plugin_id!r} was ended: {reason}.", plugin_id=plugin_id)
        self._faults.charge(plugin_id, error, where="worker")
        count = self._count(plugin_id)
        try:
            if count >= self._deaths:
                self._faults.quarantine(plugin_id, f"its process ended {count} times; at last {reason}")
                return
            pause = self._first_pause * 2 ** (count - 1)
            crashed = self._lifecycle.submit_crashed(plugin_id, error)
            crashed.add_done_callback(lambda done: self._plan(done, pause))
        except ConflictError:  # the host is stopping, and nothing comes back
            return

    def _plan(self, done: Future[tuple[str, ...]], pause: float) -> None:
        if done.cancelled() or done.exception() is not None or not (names := done.result()):
            return
        self._timers.later(pause, lambda: self._revive(names))

    def _revive(self, names: tuple[str, ...]) -> None:
        try:
            self._lifecycle.submit_revive(names)
        except ConflictError:  # as above
            return

    def _count(self, plugin_id: str) -> int:
        now = time.monotonic()
        with self._lock:
            times = self._died_at[plugin_id]
            times.append(now)
            while now - times[0] > self._window:
                times.popleft()
            return len(times)
