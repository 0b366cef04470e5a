"""Requests and their answers: ours, and the floor. Run as `… <who> <seconds>`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from benchmarks.bus.ours import HEARERS, SCHEMA, SENDER, context_of, small_host
from benchmarks.bus.works import answer, reading
from corehost.contract.message import MessageSchema

OURS, FLOOR = "ours", "floor"

_TYPE = "reading:station:check"  # which no other plugin hears
_WARM_UP = 200


def main(who: str, seconds: float) -> None:
    """Ask one after another, and tell how long the answers took."""
    with ExitStack() as closers:
        ask = _ours(closers) if who == OURS else _floor(closers)
        for _ in range(_WARM_UP):
            ask()
        took = sorted(_timed(ask, seconds))
    answer(p50=took[len(took) // 2] * 1e6, p99=took[len(took) * 99 // 100] * 1e6, rate=len(took) / sum(took))


def _ours(closers: ExitStack) -> Callable[[], Any]:
    host = closers.enter_context(small_host())
    schema = MessageSchema(type=_TYPE, payload=SCHEMA, response={"type": "object"}, expects_response=True)
    host.bus.declare(schema, owner=HEARERS[0])
    context_of(HEARERS[0]).core.messages.subscribe(_TYPE, lambda _: {"plausible": True})
    request = context_of(SENDER).core.messages.request
    return lambda: request(_TYPE, reading(), timeout=10_000)


def _floor(closers: ExitStack) -> Callable[[], Any]:
    """Hand a call to a thread that waits for it and wait for the result: what no bus with threads can beat."""
    pool = closers.enter_context(ThreadPoolExecutor(max_workers=1))
    return lambda: pool.submit(reading).result()


def _timed(ask: Callable[[], Any], seconds: float) -> list[float]:
    times = []
    until = time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        ask()
        times.append(time.perf_counter() - began)
    return times


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
