"""Count equal entries of the audit log that come in bursts, so that a flood becomes a few lines."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from corehost.contract.audit import AuditEntry

SECONDS: Final = 60.0
KINDS: Final = 256
"""How many kinds of entries are told apart at once; of more, the subjects are not."""
OTHERS: Final = "(others)"


@dataclass(slots=True)
class _Burst:
    until: float
    last: AuditEntry
    count: int = 0


class Bursts:
    """Lets the first entry of a kind through and counts those that follow within *seconds*."""

    def __init__(
        self, *, seconds: float = SECONDS, kinds: int = KINDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._kinds = kinds
        self._clock = clock
        self._lock = threading.Lock()
        self._bursts: dict[tuple[Any, ...], _Burst] = {}

    def first_of(self, entry: AuditEntry) -> AuditEntry | None:
        """Return *entry* if it is the first of its kind; else count it. Of too many kinds the subjects go under."""
        now = self._clock()
        with self._lock:
            if _kind(entry) not in self._bursts and len(self._bursts) >= self._kinds:
                entry = dataclasses.replace(entry, subject=OTHERS)
            found = self._bursts.get(_kind(entry))
            if found is None:
                self._bursts[_kind(entry)] = _Burst(now + self._seconds, entry)
                return entry
            found.count, found.last = found.count + 1, entry
        return None

    def ended(self) -> list[AuditEntry]:
        """Return an entry with its count for each burst that is over."""
        now = self._clock()
        return self._taken(lambda burst: burst.until <= now)

    def all(self) -> list[AuditEntry]:
        """Return an entry with its count for each burst, over or not."""
        return self._taken(lambda _: True)

    def _taken(self, is_over: Callable[[_Burst], bool]) -> list[AuditEntry]:
        if not self._bursts:
            return []
        with self._lock:
            over = {kind: burst for kind, burst in self._bursts.items() if is_over(burst)}
            for kind in over:
                del self._bursts[kind]
        return [dataclasses.replace(burst.last, count=burst.count) for burst in over.values() if burst.count]


def _kind(entry: AuditEntry) -> tuple[str, ...]:
    return entry.action, entry.actor, entry.subject, entry.outcome
