"""Know how often a plugin worked, how long, and how long it kept others waiting."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from corehost.plugins.histogram import Histogram, percentiles, place_of

WINDOW = 60.0
"""Seconds after which what is recent begins to be forgotten; it covers one to two such spans."""
LAG = "lag"
"""The kind under which the time from send to handle is kept."""
_SHARES = (0.5, 0.95, 0.99)


class Timing:
    """One kind of work of one plugin. Not safe for threads: its owner holds a lock."""

    __slots__ = ("_before", "_now", "count", "ever", "longest", "seconds")

    def __init__(self, now: float) -> None:
        self.count = 0
        self.seconds = 0.0
        self.longest = 0.0
        self.ever = Histogram()
        self._now = _Span(now)
        self._before: _Span | None = None

    def add(self, seconds: float, count: int, now: float) -> None:
        """Count *count* pieces of work that took *seconds* together; they pass for equally long."""
        if now - self._now.since >= WINDOW:
            self._turn(now)
        each = seconds / count
        place = place_of(each)
        self.count += count
        self.seconds += seconds
        self.longest = max(self.longest, each)
        self.ever.add_at(place, count)
        self._now.add(seconds, each, place, count)

    def figures(self, now: float) -> dict[str, Any]:
        """Return as JSON: count and seconds in all, the longest, and those of the last minute or two.

        ``recent``: over how many seconds ``span``, ``count``, ``seconds``, ``longest`` and the percentiles ``p50``,
        ``p95`` and ``p99``, in seconds.
        """
        self._turn(now)
        spans = [self._now] if self._before is None else [self._before, self._now]
        p50, p95, p99 = percentiles((span.histogram for span in spans), _SHARES)
        recent = {
            "span": max(now - spans[0].since, 1e-3),
            "count": sum(span.count for span in spans),
            "seconds": sum(span.seconds for span in spans),
            "longest": max(span.longest for span in spans),
            "p50": p50,
            "p95": p95,
            "p99": p99,
        }
        return {"count": self.count, "seconds": self.seconds, "longest": self.longest, "recent": recent}

    def _turn(self, now: float) -> None:
        age = now - self._now.since
        if age >= WINDOW:
            self._before = self._now if age < 2 * WINDOW else None
            self._now = _Span(now)


class _Span:
    __slots__ = ("count", "histogram", "longest", "seconds", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.count = 0
        self.seconds = 0.0
        self.longest = 0.0
        self.histogram = Histogram()

    def add(self, seconds: float, each: float, place: int, count: int) -> None:
        self.count += count
        self.seconds += seconds
        self.longest = max(self.longest, each)
        self.histogram.add_at(place, count)


class Figures:
    """All kinds of work of one plugin. Not safe for threads: its owner holds a lock."""

    __slots__ = ("timings",)

    def __init__(self) -> None:
        self.timings: dict[str, Timing] = {}

    def add(self, kind: str, seconds: float, count: int = 1) -> None:
        """Count *count* pieces of work of a *kind* that took *seconds* together."""
        now = time.monotonic()
        timing = self.timings.get(kind)
        if timing is None:
            timing = self.timings[kind] = Timing(now)
        timing.add(max(0.0, seconds), count, now)

    def counts(self) -> Mapping[str, int]:
        """Return how often the plugin worked, by kind."""
        return {kind: timing.count for kind, timing in self.timings.items() if kind != LAG}

    def seconds(self) -> Mapping[str, float]:
        """Return how long it worked, by kind."""
        return {kind: timing.seconds for kind, timing in self.timings.items() if kind != LAG}

    def to_json(self) -> dict[str, Any]:
        """Return the figures by kind."""
        now = time.monotonic()
        return {kind: timing.figures(now) for kind, timing in self.timings.items()}
