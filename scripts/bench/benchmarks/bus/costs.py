"""What each part of a send costs, and whether that grows with the subscriptions. Run as `… <seconds a part>`."""

from __future__ import annotations

import itertools
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from benchmarks.bus.ours import HEARERS, SCHEMA, SENDER, OurBus, context_of, small_host
from benchmarks.bus.works import Work, answer, crowd, rate_of, reading
from corehost.contract.acceptance import is_plain
from corehost.contract.message import Message, MessageSchema
from corehost.contract.schema import compile_schema
from corehost.host import Host
from corehost.messaging.history import BLOCK, History
from corehost.messaging.plan import Plans

_BATCH = 5_000
_TYPES = 10
_TYPE = "sensor:reading:taken"


def main(seconds: float) -> None:
    """Measure the parts alone, then whole sends among few and among many subscriptions."""
    figures: dict[str, float] = {}
    with small_host() as host:
        for name, part, but_for in _parts(host):
            figures[name] = (_cost(part, seconds) - _cost(but_for, seconds)) * 1e6
        figures |= _whole(host, seconds)
    few, _ = _among(crowd("few", 5, 2, entities=1), seconds)
    crowded = crowd("many", 500, 200)
    # As many types as the few have: what grows shall be the subscriptions alone.
    many, cold = _among(replace(crowded, types=crowded.types[:_TYPES]), seconds)
    answer(**figures, few=few * 1e6, many=many * 1e6, growth=many / few, cold=cold * 1e6)


def _parts(host: Host) -> Iterator[tuple[str, Callable[[], Any], Callable[[], Any]]]:
    """Return the parts of a send that have a name of their own, each with what it costs more than."""
    payload, accepts = reading(), compile_schema(SCHEMA).accepts
    plans, sender, lock = Plans(), host.registry.get(SENDER), threading.RLock()
    plans.of(_TYPE).way_of(SENDER)
    stem, ends, now, places = "0123456789ab.1", tuple(f"{place:03}" for place in range(BLOCK)), time.time, _places()
    granted = sender.granted

    def locked() -> None:
        lock.acquire()
        lock.release()

    yield "message", lambda: _message(payload), _nothing
    yield "id", lambda: stem + ends[next(places)], lambda: ends[next(places)]
    yield "time", lambda: 0 <= now() < 1, _nothing
    yield "permission", lambda: sender.granted is granted, _nothing
    yield "JSON check", lambda: is_plain(payload), _nothing
    yield "schema, JSON check in it", lambda: accepts(payload), _nothing
    yield "lock, for one order of all", locked, _nothing
    yield "history, with what it lets go", _recorder(), lambda: _message(reading())
    yield "plan", lambda: plans.kept[_TYPE].ways[SENDER], _nothing


def _whole(host: Host, seconds: float) -> dict[str, float]:
    """Return the cost of a send that nobody hears, and of one that is handed over to a lane and handled."""
    host.bus.declare(MessageSchema(type=_TYPE, payload=SCHEMA), owner=HEARERS[0])
    send = context_of(SENDER).core.messages.send
    unheard = _cost(lambda: send(_TYPE, reading()), seconds)
    context_of(HEARERS[0]).core.messages.subscribe(_TYPE, lambda _: None)
    handled, until = float("inf"), time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:  # the best of many rounds, as of the parts
        for _ in range(_BATCH):
            send(_TYPE, reading(), wait=60)
        host.bus.drain(60)
        handled = min(handled, (time.perf_counter() - began) / _BATCH)
    return {
        "lane hand-over and handling": (handled - unheard) * 1e6,
        "a whole send, unheard": unheard * 1e6,
        "a whole send, handled": handled * 1e6,
    }


def _among(work: Work, seconds: float) -> tuple[float, float]:
    """Return seconds for a message of a known type, and how many more for the first one of a type."""
    with small_host() as host:
        bus = OurBus(host, work, has_schema=False)
        known = 1 / rate_of(bus, work.hearers, seconds)
        send, dearer = context_of(SENDER).core.messages.send, []
        for type in sorted(set(work.exact) - set(work.types))[::50]:
            took = []
            for _ in range(2):  # both wake the lane's thread, so that only the plan is between them
                began = time.perf_counter()
                send(type, reading())
                took.append(time.perf_counter() - began)
                host.bus.drain(60)
            dearer.append(took[0] - took[1])
    # The median: now and then the lane's thread takes its turn in the middle of a send.
    return known, statistics.median(dearer) if dearer else 0.0


def _cost(part: Callable[[], Any], seconds: float) -> float:
    """Return the seconds that one call takes: the best of many rounds, for what disturbs only ever adds."""
    best, until = float("inf"), time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        for _ in range(_BATCH):
            part()
        best = min(best, (time.perf_counter() - began) / _BATCH)
    return best


def _nothing() -> None:
    """Cost what every call costs."""


def _places() -> Iterator[int]:
    return itertools.cycle(range(BLOCK))


def _message(payload: Any) -> Message:
    return Message(
        id="0123456789ab-1",
        type=_TYPE,
        source=SENDER,
        payload=payload,
        timestamp=1_700_000_000_000,
        seq=0,
        cause=None,
    )


def _recorder() -> Callable[[], None]:
    history, places = History(), _places()

    def record() -> None:
        if not next(places):
            history.settle()
        history.record(_message(reading()))

    return record


if __name__ == "__main__":
    main(float(sys.argv[1]))
