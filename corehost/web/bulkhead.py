"""Keep one plugin from taking all HTTP threads."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from corehost.contract.errors import BusyError

WAITING_ROOM = 256
"""How many requests may wait for a place at once. Each waits on a thread of its own, beside those that serve."""
_STUCK_SECONDS = 0.25
_LIVELY = 8
"""How many times as long is waited for a plugin that somebody entered or left within that time."""
_LATE_SECONDS = 0.05
"""A wait that ends so much late was not scheduled: a process without a processor cannot tell who is stuck."""
_LONGEST_WAIT = 30.0
"""Seconds that anybody waits in a queue that moves; few clients have more patience."""


@dataclass(slots=True, eq=False)
class _Waiter:
    owner: str
    since: float
    resumed: float
    admitted: threading.Event = field(default_factory=threading.Event)


class Bulkhead:
    """Places for requests inside of plugins.

    At most half of *threads* are inside one plugin and one thread never is inside any. Who finds no place waits in
    turn, until for *stuck* seconds nobody has entered or left the plugin (for one that was just seen at work, eight
    times as long): then it is stuck, and who waits for it gets ``BusyError``. The server needs
    ``threads + waiting_room`` threads, so that waiting requests hold up nobody.
    """

    def __init__(self, threads: int, *, stuck: float = _STUCK_SECONDS, waiting_room: int = WAITING_ROOM) -> None:
        self._each = max(1, threads // 2)
        self._all = max(1, threads - 1)
        self._stuck = stuck
        self._waiting_room = waiting_room
        self._lock = threading.Lock()
        self._inside: Counter[str] = Counter()
        self._total = 0
        self._restricted: dict[str, int] = {}
        self._moved: dict[str, float] = {}
        self._anyone_moved = 0.0
        self._waiters: deque[_Waiter] = deque()

    def enter(self, owner: str) -> Callable[[], None]:
        """Take a place inside *owner* and return how to give it back; raises ``BusyError``."""
        with self._lock:
            if self._has_room(owner):
                self._admit(owner)
                return self._leaver(owner)
            if len(self._waiters) >= self._waiting_room:
                raise _busy(owner)
            now = time.monotonic()
            waiter = _Waiter(owner, since=now, resumed=now)
            self._waiters.append(waiter)
        while not self._admitted(waiter):
            if self._gives_up(waiter):
                raise _busy(owner)
        return self._leaver(owner)

    @contextmanager
    def entered(self, owner: str) -> Iterator[None]:
        """Be inside *owner* for the length of the block; raises ``BusyError``."""
        leave = self.enter(owner)
        try:
            yield
        finally:
            leave()

    def restrict(self, owner: str, places: int | None) -> None:
        """Let at most *places* requests be inside *owner* from now on; ``None`` for as many as usual."""
        with self._lock:
            if places is None:
                self._restricted.pop(owner, None)
            else:
                self._restricted[owner] = min(places, self._each)

    def inside(self) -> dict[str, int]:
        """Return how many requests are inside each plugin now."""
        with self._lock:
            return dict(self._inside)

    def waiting(self) -> int:
        """Return how many requests wait for a place now."""
        with self._lock:
            return len(self._waiters)

    def _admitted(self, waiter: _Waiter) -> bool:
        """Wait as long as patience lasts, a moment at most, and tell whether there is a place now."""
        until = time.monotonic() + min(self._stuck, self._patience(waiter))
        if waiter.admitted.wait(until - time.monotonic()):
            return True
        if time.monotonic() > until + _LATE_SECONDS:
            # Even this wait ended late, so it is the machine that stands still, not the plugin: begin again.
            waiter.resumed = time.monotonic()
        return False

    def _has_room(self, owner: str) -> bool:
        return self._total < self._all and self._inside[owner] < self._places(owner)

    def _places(self, owner: str) -> int:
        return self._restricted.get(owner, self._each)

    def _admit(self, owner: str) -> None:
        self._inside[owner] += 1
        self._total += 1
        self._move(owner)

    def _move(self, owner: str) -> None:
        self._moved[owner] = self._anyone_moved = time.monotonic()

    def _patience(self, waiter: _Waiter) -> float:
        """Return how long to wait before looking again whether anything moves."""
        is_full = self._inside[waiter.owner] >= self._places(waiter.owner)
        moved = self._moved.get(waiter.owner, 0.0) if is_full else self._anyone_moved
        # Who let somebody in or go just before is at work: on a machine with much else to do it may merely be slow.
        is_lively = moved > waiter.since - self._stuck * _LIVELY
        patience = self._stuck * (_LIVELY if is_lively else 1)
        end = min(max(moved, waiter.resumed) + patience, waiter.since + _LONGEST_WAIT)
        return max(0.0, end - time.monotonic())

    def _gives_up(self, waiter: _Waiter) -> bool:
        # Without the lock first: two hundred waiters that look four times a second would queue up for it before those
        # who leave, and beside a thread that computes each hand-over of a lock takes a whole switch interval.
        if self._patience(waiter) > 0:
            return False
        with self._lock:
            # Admitted, or somebody moved, between the end of the wait and here.
            if waiter.admitted.is_set() or self._patience(waiter) > 0:
                return False
            self._waiters.remove(waiter)
            return True

    def _leaver(self, owner: str) -> Callable[[], None]:
        has_left = False

        def leave() -> None:
            nonlocal has_left
            with self._lock:
                if not has_left:
                    has_left = True
                    self._release(owner)

        return leave

    def _release(self, owner: str) -> None:
        self._total -= 1
        self._inside[owner] -= 1
        if not self._inside[owner]:
            del self._inside[owner]
        self._move(owner)
        for waiter in self._waiters:
            if self._has_room(waiter.owner):
                self._waiters.remove(waiter)
                self._admit(waiter.owner)
                waiter.admitted.set()
                return


def _busy(owner: str) -> BusyError:
    return BusyError(f"{owner!r} is busy with other requests. Try again in a second.")
