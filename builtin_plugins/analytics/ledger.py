"""Counts by type and time on disk: one storage key a minute for a day, and one an hour for as long as wished."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from corehost import PluginStorage

Step = Literal["minute", "hour", "day"]
SECONDS: Mapping[Step, int] = {"minute": 60, "hour": 3600, "day": 86_400}
MINUTES_KEPT = 86_400  # seconds
MOST_TYPES = 500
OTHER = "(other)"
"""Where further types of a time are counted once it has ``MOST_TYPES``: types come from anybody, the disk is ours."""

Counts = dict[tuple[int, str], int]
"""How many messages of a type came in a minute; the minute counts from the epoch."""


class Ledger:
    """The counts of one plugin's *storage*."""

    def __init__(self, storage: PluginStorage) -> None:
        self._storage = storage

    def add(self, counts: Counts) -> None:
        """Write *counts* down, all or nothing."""
        changes: dict[str, Counter[str]] = {}
        for (minute, message_type), number in counts.items():
            for key in (_key("minute", minute * 60), _key("hour", minute * 60)):
                changes.setdefault(key, Counter())[message_type] += number
        with self._storage.transaction() as storage:
            for key, change in changes.items():
                storage.set(key, _bounded(Counter(storage.get(key, {})) + change))

    def read(self, step: Step, since: int, until: int) -> dict[int, Counter[str]]:
        """Return the counts from *since* up to, not including, *until* (seconds since the epoch) by their start.

        Starts of times in which nothing came are left out; days begin at midnight UTC.
        """
        kept: Step = "minute" if step == "minute" else "hour"
        found: dict[int, Counter[str]] = {}
        for key in self._storage.keys(f"{kept}:"):
            start = _start(key)
            if since <= start < until:
                whole = start - start % SECONDS[step]
                found.setdefault(whole, Counter()).update(self._storage.get(key, {}))
        return found

    def forget(self, now: int, retention_days: float) -> None:
        """Delete what is older than it shall be kept; *now* is in seconds since the epoch."""
        with self._storage.transaction() as storage:
            for key in self._outdated(storage.keys("minute:"), now - MINUTES_KEPT):
                storage.delete(key)
            for key in self._outdated(storage.keys("hour:"), now - int(retention_days * SECONDS["day"])):
                storage.delete(key)

    @staticmethod
    def _outdated(keys: Iterable[str], oldest: int) -> Iterator[str]:
        return (key for key in keys if _start(key) < oldest - oldest % SECONDS["hour"])


def _key(step: Step, second: int) -> str:
    # Twelve digits, so that the order of keys is that of time.
    return f"{step}:{second - second % SECONDS[step]:012d}"


def _start(key: str) -> int:
    return int(key.partition(":")[2])


def _bounded(counts: Counter[str]) -> dict[str, int]:
    if len(counts) <= MOST_TYPES:
        return dict(counts)
    named = Counter({name: number for name, number in counts.items() if name != OTHER})
    kept = dict(named.most_common(MOST_TYPES - 1))
    return {**kept, OTHER: counts.total() - sum(kept.values())}
