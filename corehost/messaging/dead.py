"""The messages that somebody should have heard and did not."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from corehost.contract.message import Message

DEAD_LETTER = "core:dead-letter"
KEPT = 1_000
PAUSE = 1.0
"""Seconds between two notices about the same owner."""

Reason = Literal["overflow", "gone", "quarantined"]
"""``overflow``: its source had no room left in the lane; ``gone``: the owner left before its turn came;
``quarantined``: the owner's lane stands still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One thing that never reached *owner*; ``message`` is ``None`` for other work, which ``what`` names."""

    owner: str
    reason: Reason
    what: str
    message: Message | None
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What there is to tell of an owner: how many were lost since the last notice, and the last one."""

    letter: DeadLetter
    count: int


class DeadLetters:
    """Counts what was lost by owner and reason, and keeps the newest.

    ``add`` may be called with locks held, so it only takes note. ``flush``, called with none, tells the listeners:
    one of each letter, the other at most once a second and owner.
    """

    def __init__(self, *, kept: int = KEPT, pause: float = PAUSE) -> None:
        self._lock = threading.RLock()  # a finalizer may come in between, see order.py
        self._pause = pause
        self._newest: deque[DeadLetter] = deque(maxlen=kept)
        self._counts: Counter[tuple[str, Reason]] = Counter()
        self._untold: dict[str, Notice] = {}
        self._told_at: dict[str, float] = {}
        self._fresh: deque[DeadLetter] = deque(maxlen=kept)
        self._listeners: tuple[Callable[[DeadLetter], None], Callable[[Notice], None]] | None = None

    def add(self, owner: str, reason: Reason, message: Message | None = None, *, what: str = "") -> None:
        """Take note that *owner* will never hear *message*."""
        what = what or (message.type if message else "")
        letter = DeadLetter(owner=owner, reason=reason, what=what, message=message, at=time.time())
        with self._lock:
            self._newest.append(letter)
            self._fresh.append(letter)
            self._counts[owner, reason] += 1
            if what != DEAD_LETTER:  # or a full lane that hears of dead letters would never be at rest
                before = self._untold.get(owner)
                self._untold[owner] = Notice(letter=letter, count=before.count + 1 if before else 1)

    def listen(self, on_letter: Callable[[DeadLetter], None], on_notice: Callable[[Notice], None]) -> None:
        """Tell these of what is lost from now on."""
        self._listeners = (on_letter, on_notice)

    def flush(self) -> None:
        """Tell what may be told by now."""
        if self._listeners is None or not (self._fresh or self._untold):
            return
        now = time.monotonic()
        with self._lock:
            letters = list(self._fresh)
            self._fresh.clear()
            due = [owner for owner in self._untold if now - self._told_at.get(owner, -self._pause) >= self._pause]
            notices = [self._untold.pop(owner) for owner in due]
            self._told_at.update(dict.fromkeys(due, now))
        on_letter, on_notice = self._listeners
        for letter in letters:
            on_letter(letter)
        for notice in notices:
            on_notice(notice)

    def counts(self) -> Mapping[tuple[str, Reason], int]:
        """Return how many were lost by owner and reason."""
        with self._lock:
            return dict(self._counts)

    def by_owner(self) -> Mapping[str, int]:
        """Return how many were lost by owner."""
        found: Counter[str] = Counter()
        for (owner, _), count in self.counts().items():
            found[owner] += count
        return found

    def newest(self) -> list[DeadLetter]:
        """Return those that are kept, oldest first."""
        with self._lock:
            return list(self._newest)

    def __len__(self) -> int:
        """Return how many were lost in all."""
        return sum(self.counts().values())
