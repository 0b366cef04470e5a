"""What every bus has to do, and how it is timed."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

BATCH = 1_000

_DOMAINS = 500
_PER_DOMAIN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Messages of ``types`` in turn; ``exact`` and ``prefixes`` are subscribed, of which ``hearers`` hear each."""

    title: str
    types: tuple[str, ...]
    exact: tuple[str, ...]
    prefixes: tuple[str, ...] = ()
    hearers: int = 1


def works() -> dict[str, Work]:
    """Return all works by key."""
    one = "sensor:reading:taken"
    thousand = tuple(f"sensor{i}:reading:taken" for i in range(1_000))
    return {
        "a": Work(title="(a) one subscriber", types=(one,), exact=(one,)),
        "b": Work(title="(b) ten subscribers", types=(one,), exact=(one,) * 10, hearers=10),
        "c": Work(title="(c) 1,000 types", types=thousand, exact=thousand),
        "d": crowd("(d) 100,000 exact, 1,000 wildcards, 3 hear", _DOMAINS, _PER_DOMAIN),
    }


def crowd(title: str, domains: int, per_domain: int, *, entities: int = 20) -> Work:
    """Return the work with many subscriptions: of each message's type, of its domain, and of its domain's entity.

    The wildcards end in ``*``, for that is what every peer can say, be it as a topic's parent.
    """
    types = tuple(f"d{i}:e{j % entities}:a{j // entities}" for i in range(domains) for j in range(per_domain))
    prefixes = tuple(f"d{i}:{below}" for i in range(domains) for below in ("", "e0:"))
    sent = tuple(f"d{i}:e0:a{k}" for k in range(2) for i in range(domains))
    return Work(title=title, types=sent, exact=types, prefixes=prefixes, hearers=3)


def reading() -> dict[str, Any]:
    """Return a payload, a new one for each message as in life."""
    return {"celsius": 21.5, "station": "north"}


class Bus(Protocol):
    """A bus under measurement, subscribed already."""

    def send_many(self, count: int) -> None:
        """Send so many messages."""

    def finish(self) -> None:
        """Wait until all are handled."""

    def handled(self) -> int:
        """Return how often handlers were called."""


class Counts:
    """One cell for each handler: handlers of several threads must not share a number."""

    def __init__(self) -> None:
        self._cells: list[list[int]] = []

    def cell(self) -> list[int]:
        """Return a new cell."""
        cell = [0]
        self._cells.append(cell)
        return cell

    def total(self) -> int:
        """Return the sum."""
        return sum(cell[0] for cell in self._cells)


def endless(work: Work) -> Iterator[str]:
    """Return the types to send, over and over."""
    return itertools.cycle(work.types)


def rate_of(bus: Bus, hearers: int, seconds: float, batch: int = BATCH) -> float:
    """Return how many messages a second were sent **and handled**; raises ``AssertionError`` if one was not."""
    bus.send_many(batch)
    bus.finish()
    sent, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        bus.send_many(batch)
        sent += batch
    bus.finish()
    took = time.perf_counter() - began
    handled, wanted = bus.handled(), (sent + batch) * hearers
    assert handled == wanted, f"{handled} of {wanted} were handled"
    return sent / took


def answer(**figures: float) -> None:
    """Give the figures to the benchmark that started this process."""
    print(f"\n{json.dumps(figures)}")
