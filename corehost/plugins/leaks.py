"""Find out what a plugin has left behind a while after it went."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext

from corehost.contract.errors import PluginFaultError
from corehost.messaging.timers import Timers
from corehost.plugins.announcements import Announcements
from corehost.plugins.faults import Faults
from corehost.plugins.garbage import Collector, thawed
from corehost.plugins.keepers import keeper_of
from corehost.plugins.registry import Plugin
from corehost.plugins.remains import Find, Parts, Remains

SECONDS = 5.0
"""How long what a plugin was made of may live on after its unload."""
_NAMED = 10
"""Parts that are named. Whoever holds on to one function keeps all of its module, so the rest says nothing new."""
_LOOKS = 5
"""Looks within the *seconds* at most, however many plugins go: a look may have to walk over many objects."""
Count = Callable[[str], int]
"""Returns how much is registered for a plugin."""


class Leaks:
    """Looks at each unloaded plugin *seconds* later, and once more at one that seems to have left something.

    All that it was made of must be dead by then: whatever of the host or of others still holds on to the plugin keeps
    one of its parts alive. Nothing may be registered for it any more, and no thread run its code. With *find_keepers*,
    it is searched for who holds on to what is left, which stops the process for a moment.
    """

    def __init__(
        self,
        faults: Faults,
        announce: Announcements,
        timers: Timers,
        find: Find,
        *,
        seconds: float = SECONDS,
        find_keepers: bool = False,
    ) -> None:
        self._faults = faults
        self._announce = announce
        self._timers = timers
        self._find = find
        self._seconds = seconds
        self._find_keepers = find_keepers
        self._lock = threading.Lock()
        self._waiting: list[tuple[Remains, float]] = []
        self._collector = Collector()
        self._is_stopped = False
        self._parts: list[Parts] = []
        self._counts: dict[str, Count] = {}

    def add_parts(self, parts: Parts) -> None:
        """Have *parts* asked what else each plugin is made of."""
        self._parts.append(parts)

    def add_count(self, what: str, count: Count) -> None:
        """Have *count* asked how much of *what*, in the plural, is registered for a plugin that is gone."""
        self._counts[what] = count

    def going(self, plugin: Plugin) -> Callable[[], None]:
        """Take note of what *plugin* is made of, before its unload; call what is returned behind it."""
        if self._is_stopped:
            return _nothing
        remains = Remains(plugin, self._find, self._parts)

        return lambda: self._wait(remains, since=time.monotonic(), seconds=self._seconds)

    def stop(self) -> None:
        """Look at no more plugins: all go now, and the process with them."""
        with self._lock:
            self._is_stopped = True
            self._waiting = []

    def _wait(self, remains: Remains, *, since: float, seconds: float) -> None:
        with self._lock:
            is_first = not self._waiting and not self._is_stopped
            self._waiting.append((remains, since))
        if is_first:  # else a look is planned already, and plans the next
            self._timers.later(seconds, self._start)

    def _is_left(self, remains: Remains) -> bool:
        return bool(remains.alive() or remains.registered() or self._counted(remains))

    def _start(self) -> None:
        # Never on the thread of the timers: a collection of all that the host holds takes a while.
        threading.Thread(target=self._look, name="corehost-leak-check", daemon=True).start()

    def _look(self) -> None:
        for remains in self._due():
            if not remains.is_suspect and self._is_left(remains):
                # A thread may have been on its way out, or another's collection under way, which makes ours a no-op.
                remains.is_suspect = True
                self._wait(remains, since=time.monotonic() - self._seconds, seconds=self._seconds / _LOOKS)
                continue
            with thawed() if self._find_keepers else nullcontext():
                alive = self._alive(remains)
            left = [*alive, *remains.registered(), *self._counted(remains)]
            self._faults.note_left(remains.plugin.id, remains.version, tuple(left))
            if left:
                self._report(remains, left)

    def _due(self) -> list[Remains]:
        """Return those whose time has come, and see to the next look at the others."""
        now = time.monotonic()
        with self._lock:
            waiting = list(self._waiting)
        due = [entry for entry in waiting if now - entry[1] >= self._seconds * 0.9]
        if not self._collector.collect(lambda: not any(remains.alive() for remains, _ in due)):
            due = [entry for entry in due if not entry[0].alive()]
        with self._lock:
            self._waiting = [entry for entry in self._waiting if entry not in due]
            is_more = bool(self._waiting)
        if is_more:
            self._timers.later(self._seconds / _LOOKS, self._start)
        return [remains for remains, _ in due]

    def _alive(self, remains: Remains) -> list[str]:
        alive = remains.alive()
        names = list(alive)
        found: list[str] = []
        for name in names[:_NAMED]:
            thing = alive.pop(name)  # so that it is not we who hold on to it
            keeper = keeper_of(thing, but=remains.import_name or "") if self._find_keepers else None
            found.append(f"{name} ← {keeper}" if keeper else name)
        return found if len(names) <= _NAMED else [*found, f"{len(names) - _NAMED} more of its code"]

    def _counted(self, remains: Remains) -> list[str]:
        counted = {what: count(remains.plugin.id) for what, count in self._counts.items()}
        if remains.is_back:  # asked last: it may come back while we count
            return []
        return [f"{count} {what}" for what, count in counted.items() if count]

    def _report(self, remains: Remains, left: list[str]) -> None:
        plugin = remains.plugin
        text = f"Plugin {plugin.id!r} {remains.version} left behind, {self._seconds:g} s after its unload: "
        advice = ". Undo in 'corehost_teardown' what you registered outside of your context."
        error = PluginFaultError(text + ", ".join(left) + advice, plugin_id=plugin.id)
        self._faults.charge(plugin.id, error, where="leak")
        self._announce.leaked(plugin, remains.version, left)


def _nothing() -> None:
    """Take no note of a plugin that goes with the host."""
