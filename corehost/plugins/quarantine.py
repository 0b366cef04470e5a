"""Try plugins again that were quarantined, ever later, until they are left off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from corehost.contract.errors import ConflictError

FIRST_PAUSE = 30.0
LONGEST_PAUSE = 3_600.0
TRIES = 8
"""How often a plugin is tried again; whoever enables, reloads or upgrades it begins anew."""
CALM = 4
"""It counts as cured once it has run that many times as long as it was last kept off."""


class Lifecycle(Protocol):
    """What of the life cycle is needed."""

    def submit_quarantine(self, plugin_id: str, reason: str) -> Future[tuple[str, ...]]:
        """Take a plugin down with its dependants; the result names all of them."""

    def submit_revive(self, plugin_ids: tuple[str, ...]) -> Future[None]:
        """Load those again that are still as they were left."""


class Later(Protocol):
    """Calls something once, after so many seconds."""

    def later(self, seconds: float, run: Callable[[], Any]) -> Any: ...


@dataclass(slots=True, kw_only=True)
class _Case:
    version: str
    tries: int = 0
    pause: float = 0.0
    is_off: bool = False
    is_retrying: bool = False
    reason: str = ""
    since: float = 0.0
    retry_at: float | None = None
    revived: float = 0.0
    names: tuple[str, ...] = ()


class Quarantines:
    """Who was quarantined, how often, and when they are tried again.

    The pause doubles each time, up to an hour; after *tries* the plugin stays off. What went down with it, because it
    needs it, comes back with it, whoever brings it back.
    """

    def __init__(
        self, lifecycle: Lifecycle, timers: Later, *, first_pause: float = FIRST_PAUSE, tries: int = TRIES
    ) -> None:
        self._lifecycle = lifecycle
        self._timers = timers
        self._first_pause = first_pause
        self._tries = tries
        self._lock = threading.Lock()
        self._cases: dict[str, _Case] = {}

    def begin(self, plugin_id: str, version: str, reason: str) -> None:
        """Switch a plugin off for *reason*, without waiting for it."""
        with self._lock:
            case = self._case(plugin_id, version)
            if case.is_off:
                return
            case.is_off, case.reason, case.since = True, reason, time.time()
            case.pause = min(LONGEST_PAUSE, self._first_pause * 2**case.tries)
            case.tries += 1
            text = f"{reason.rstrip('.')}. {self._outlook(case)}"
        try:
            taken_down = self._lifecycle.submit_quarantine(plugin_id, text)
        except ConflictError:  # the host is stopping, and the plugin with it
            return
        taken_down.add_done_callback(lambda done: self._plan(plugin_id, case, done))

    def is_back(self, plugin_id: str, version: str) -> None:
        """Take note that a plugin is live; unless it was only tried again, it begins anew."""
        with self._lock:
            case = self._cases.get(plugin_id)
            if case is None:
                return
            names = tuple(name for name in case.names if name != plugin_id)
            case.names = ()
            if case.is_retrying and case.version == version:
                case.is_off, case.is_retrying, case.retry_at, case.revived = False, False, None, time.monotonic()
            elif case.is_off:
                del self._cases[plugin_id]
        if names:
            self._revive(names)

    def state(self, plugin_id: str) -> dict[str, Any] | None:
        """Return as JSON why and since when a plugin is off, how often it was, and when it is tried again."""
        with self._lock:
            case = self._cases.get(plugin_id)
            if case is None or not case.is_off:
                return None
            return {"reason": case.reason, "since": case.since, "times": case.tries, "retryAt": case.retry_at}

    def _case(self, plugin_id: str, version: str) -> _Case:
        case = self._cases.get(plugin_id)
        is_cured = case is not None and not case.is_off and time.monotonic() - case.revived > CALM * case.pause
        if case is None or case.version != version or is_cured:
            case = self._cases[plugin_id] = _Case(version=version)
        return case

    def _outlook(self, case: _Case) -> str:
        if case.tries > self._tries:
            return f"It was tried again {self._tries} times and stays off. Mend it, then reload or enable it."
        return f"It is tried again in {case.pause:g} s; reload or enable it to try at once."

    def _plan(self, plugin_id: str, case: _Case, done: Future[tuple[str, ...]]) -> None:
        names = () if done.cancelled() or done.exception() is not None else done.result()
        with self._lock:
            case.names = names
            if not names:  # it was gone already
                self._cases.pop(plugin_id, None)
            if not names or case.tries > self._tries:
                return
            case.retry_at = time.time() + case.pause
        self._timers.later(case.pause, lambda: self._retry(plugin_id, case))

    def _retry(self, plugin_id: str, case: _Case) -> None:
        with self._lock:
            if self._cases.get(plugin_id) is not case or not case.is_off:
                return
            case.is_retrying = True
        revived = self._revive(case.names)
        if revived is not None:
            revived.add_done_callback(lambda _: self._see(plugin_id, case))

    def _see(self, plugin_id: str, case: _Case) -> None:
        """Plan the next try if the last one did not even load the plugin."""
        with self._lock:
            if self._cases.get(plugin_id) is not case or not case.is_off:
                return
            case.is_retrying, case.retry_at = False, None
            case.tries += 1
            if case.tries > self._tries:
                return
            case.pause = min(LONGEST_PAUSE, case.pause * 2)
            case.retry_at = time.time() + case.pause
        self._timers.later(case.pause, lambda: self._retry(plugin_id, case))

    def _revive(self, names: tuple[str, ...]) -> Future[None] | None:
        try:
            return self._lifecycle.submit_revive(names)
        except ConflictError:  # the host is stopping
            return None
