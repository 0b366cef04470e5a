"""What a lane does beside messages: timers, events, changes of stores."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

import msgspec

from corehost.messaging.dead import DeadLetters, Reason
from corehost.messaging.faults import FaultSink
from corehost.messaging.trail import Trail, step_into


class Work(msgspec.Struct):
    """One call without arguments, in the lane of *owner*; ``where`` says in a fault what it was."""

    owner: str
    call: Callable[[], Any]
    where: str
    trail: Trail
    key: Hashable = None
    latest: LatestWork | None = None
    step: int = 0

    @property
    def message(self) -> None:
        """There is none."""

    def run(self, faults: FaultSink) -> None:
        """Call it; what it raises is charged."""
        self._claim()
        step_into(self.trail)
        began = time.monotonic()
        try:
            self.call()
        except BaseException as error:  # noqa: BLE001  # a plugin may raise anything, sys.exit() too; its lane goes on
            faults.charge(self.owner, error, where=self.where)
        finally:
            faults.took(self.owner, self.where, time.monotonic() - began, is_part=True)

    def rest(self) -> None:
        """Return ``None``: there is but one step."""

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
            waiting.call, waiting.trail = newer.call, newer.trail
            return waiting is not newer

    def claim(self, work: Work) -> None:
        """Settle what *work* calls: it is about to start, or it never will."""
        with self._lock:
            self._waiting.pop(work.key, None)
