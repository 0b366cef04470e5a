"""Count durations in buckets that grow with them, so that percentiles are cheap and never far off."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

SHORTEST = 1e-6
"""Seconds up to which durations are not told apart."""
PER_DECADE = 20
DECADES = 9
BUCKETS = PER_DECADE * DECADES
"""Buckets of one histogram: from 1 µs to 1,000 s, each 12 % wider than the one before."""


class Histogram:
    """How many durations fell into each bucket. Not safe for threads: its owner holds a lock."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}  # few are ever used: most work takes much the same time

    def add(self, seconds: float, count: int = 1) -> None:
        """Count *count* durations of *seconds* each."""
        self.add_at(place_of(seconds), count)

    def add_at(self, place: int, count: int) -> None:
        """Count *count* durations that belong into the bucket *place*."""
        self._counts[place] = self._counts.get(place, 0) + count

    def counts(self) -> Mapping[int, int]:
        """Return the number in each bucket that holds some."""
        return dict(self._counts)


def percentiles(histograms: Iterable[Histogram], shares: Iterable[float]) -> list[float]:
    """Return, for each share of 1, the seconds that so many of all durations kept to; at most 6 % off, 0 for none."""
    counts: dict[int, int] = {}
    for histogram in histograms:
        for place, count in histogram.counts().items():
            counts[place] = counts.get(place, 0) + count
    total = sum(counts.values())
    return [_percentile(counts, math.ceil(share * total)) for share in shares]


def cumulated(counts: Mapping[int, int], bounds: Iterable[float]) -> list[int]:
    """Return how many durations were no longer than each bound, which must be the end of a bucket."""
    return [sum(n for place, n in counts.items() if place < ends) for ends in map(_end, bounds)]


def _percentile(counts: Mapping[int, int], rank: int) -> float:
    seen = 0
    for place in sorted(counts):
        seen += counts[place]
        if seen >= rank:
            return float(SHORTEST * 10 ** ((place + 0.5) / PER_DECADE))
    return 0.0


def place_of(seconds: float) -> int:
    """Return the bucket into which a duration belongs."""
    if seconds <= SHORTEST:
        return 0
    return min(BUCKETS - 1, int(math.log10(seconds / SHORTEST) * PER_DECADE))


def _end(seconds: float) -> int:
    return round(math.log10(seconds / SHORTEST) * PER_DECADE)
