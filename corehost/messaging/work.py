"""What a lane does beside messages: timers, events, changes of stores."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

import msgspec

from corehost.messaging.dead import DeadLetters, Reason
from corehost.messaging.faults import FaultSink
from corehost.messaging.trail import Trail


class Work(msgspec.Struct, eq=False):
    """One call without arguments, in the lane of *owner*; ``where`` says in a fault what it was."""

    owner: str
    task: Callable[[], Any]
    where: str
    trail: Trail
    faults: FaultSink
    key: Hashable = None
    latest: LatestWork | None = None

    @property
    def message(self) -> None:
        """There is none."""

    @property
    def calls(self) -> tuple[Work]:
        """What the lane calls: itself."""
        return (self,)

    def call(self, _: object) -> Any:
        """Do it, and tell how long it took."""
        self._claim()
        began = time.monotonic()
        try:
            return self.task()
        finally:
            self.faults.took(self.owner, self.where, time.monotonic() - began, is_part=True)

    def rest(self, left: int) -> None:  # as other jobs have it
        """Return ``None``: there is but one call."""

    def its_trail(self) -> Trail:
        """Return the trail of who asked for it."""
        return self.trail

    def lose(self, letters: DeadLetters, owner: str, reason: Reason) -> None:
        """Take note that it will never be called."""
        self._claim()
        letters.add(owner, reason, what=self.where)

    def _claim(self) -> None:
        if self.latest is not None:
            self.latest.claim(self)


class LatestWork:
    """Work of which only the latest counts: until it starts, a newer call of the same key takes its place."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a finalizer may come in between, see order.py
        self._waiting: dict[Hashable, Work] = {}

    def takes_place(self, newer: Work) -> bool:
        """Let *newer* take the place of what waits under its key; false if nothing does, then *newer* does now."""
        with self._lock:
            waiting = self._waiting.setdefault(newer.key, newer)
            waiting.task, waiting.trail = newer.task, newer.trail
            return waiting is not newer

    def claim(self, work: Work) -> None:
        """Settle what *work* calls: it is about to start, or it never will."""
        with self._lock:
            self._waiting.pop(work.key, None)
