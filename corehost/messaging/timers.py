"""Call something later, or again and again."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog

from corehost.contract.errors import InvalidError

Undo = Callable[[], None]

SPARE = 256
"""Cancelled timers that may lie in the heap whatever its size."""


class _Timer:
    """One call to come; ``every`` is ``None`` if it comes once."""

    __slots__ = ("due", "every", "is_live", "is_queued", "number", "run")

    def __init__(self, due: float, number: int, run: Callable[[], Any], every: float | None) -> None:
        self.due = due
        self.number = number
        self.run = run
        self.every = every
        self.is_live = True
        self.is_queued = True

    def __lt__(self, other: _Timer) -> bool:
        return (self.due, self.number) < (other.due, other.number)


class Timers:
    """Calls what is due on one thread, so what it calls must be quick: it hands work to a lane."""

    def __init__(self, name: str = "corehost-timers") -> None:
        self._log = structlog.get_logger("corehost.messaging")
        self._name = name
        self._lock = threading.RLock()  # a finalizer may come in between, see order.py
        self._changed = threading.Condition(self._lock)  # entering the lock itself costs a third
        self._heap: list[_Timer] = []
        self._cancelled = 0
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def every(self, seconds: float, run: Callable[[], Any]) -> Undo:
        """Call *run* every *seconds*, first after *seconds*; turns that were missed are not made up for."""
        if not seconds > 0:
            raise InvalidError(f"A timer cannot come every {seconds!r} s. Give more than 0.")
        return self._add(seconds, run, every=seconds)

    def later(self, seconds: float, run: Callable[[], Any]) -> Undo:
        """Call *run* once, after *seconds*."""
        return self._add(seconds, run, every=None)

    def waiting(self) -> int:
        """Return how many timers are kept; some of those that were undone may still count."""
        return len(self._heap)

    def close(self) -> None:
        """Call nothing any more and end the thread."""
        with self._lock:
            self._closed = True
            self._heap.clear()
            self._changed.notify()

    def _add(self, seconds: float, run: Callable[[], Any], every: float | None) -> Undo:
        timer = _Timer(time.monotonic() + seconds, next(self._numbers), run, every)
        with self._lock:
            if self._closed:
                return lambda: None
            heapq.heappush(self._heap, timer)
            if self._thread is None:
                self._thread = threading.Thread(target=self._live, name=self._name, daemon=True)
                self._thread.start()
            elif self._heap[0] is timer:
                self._changed.notify()
        return lambda: self._cancel(timer)

    def _cancel(self, timer: _Timer) -> None:
        with self._lock:
            if not timer.is_live:
                return
            timer.is_live = False
            self._cancelled += timer.is_queued
            if self._cancelled > SPARE and self._cancelled > len(self._heap) // 2:
                self._heap = [kept for kept in self._heap if kept.is_live]
                heapq.heapify(self._heap)
                self._cancelled = 0
        timer.run = _nothing  # it may lie in the heap for long; what it would have called must not

    def _live(self) -> None:
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        timer = self._next()
        if timer is None:
            return False
        try:
            timer.run()
        except Exception:  # noqa: BLE001  # a timer that fails must not stop the others
            self._log.exception("timer failed")
        self._again(timer)
        return True

    def _next(self) -> _Timer | None:
        """Wait for the next that is due and return it, ``None`` at the end."""
        with self._lock:
            while not self._closed:
                left = self._heap[0].due - time.monotonic() if self._heap else None
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
                timer = heapq.heappop(self._heap)
                timer.is_queued = False
                if timer.is_live:
                    return timer
                self._cancelled -= 1
            return None

    def _again(self, timer: _Timer) -> None:
        with self._lock:
            if timer.every is None or not timer.is_live or self._closed:
                timer.is_live = False
                return
            # On its beat, not one period after it was called; what lies in the past is left out.
            missed = max(0.0, (time.monotonic() - timer.due) // timer.every)
            timer.due += timer.every * (missed + 1)
            timer.is_queued = True
            heapq.heappush(self._heap, timer)


def _nothing() -> None:
    """Stand in for what a cancelled timer would have called."""
