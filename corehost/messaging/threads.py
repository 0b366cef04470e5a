"""Threads that are kept for a while when their work is done, as starting one costs more than most work."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from typing import Any

KEEP = 10.0
"""Seconds that a thread waits for more work before it ends."""

_Work = tuple[Callable[..., Any], tuple[Any, ...]]


class ThreadCache:
    """Runs each piece of work at once, on a thread that waits for some or on a new one.

    It sets no limit; who hands it work does. Its threads are daemons, so none holds up the end of the process.
    """

    def __init__(self, name: str, *, keep: float = KEEP) -> None:
        self._name = name
        self._keep = keep
        self._lock = threading.RLock()  # a finalizer may come in between, see order.py
        self._waiting: list[_Worker] = []
        self._started = 0
        self._most: int | None = None

    def run(self, work: Callable[..., Any], *arguments: Any) -> None:
        """Run ``work(*arguments)``, which must not raise."""
        with self._lock:
            worker = self._waiting.pop() if self._waiting else None
            self._started += worker is None
            number = self._started
        if worker is None:
            worker = _Worker(self, self._keep)
            worker.start(f"{self._name}-{number}")
        worker.hand((work, arguments))

    def keep(self, number: int) -> None:
        """Let at most *number* threads wait for work from now on; the others end."""
        with self._lock:
            self._most = number
            surplus, self._waiting = self._waiting[number:], self._waiting[:number]
        for worker in surplus:
            worker.hand(None)

    def close(self) -> None:
        """Let every thread end as soon as it has nothing to do."""
        self.keep(0)

    def admit(self, worker: _Worker) -> bool:
        """Let *worker* wait for work, unless as many wait as may."""
        with self._lock:
            if self._most is not None and len(self._waiting) >= self._most:
                return False
            self._waiting.append(worker)
            return True

    def release(self, worker: _Worker) -> bool:
        """Let *worker* end; false if somebody has just picked it and is about to hand it work."""
        with self._lock:
            if worker not in self._waiting:
                return False
            self._waiting.remove(worker)
            return True


class _Bell:
    """Wakes the one thread that waits for it.

    Who releases a lock still holds the interpreter when the other wakes, and on the same core that has taken its place
    only to wait, both by timers. Writing to a descriptor gives the interpreter up first: a request takes half the time.
    """

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    def acquire(self, timeout: float = -1) -> bool:
        """Wait until it rings, at most *timeout* seconds if that is not negative; return whether it did."""
        if not self._poll.poll(None if timeout < 0 else timeout * 1_000):
            return False
        os.eventfd_read(self._descriptor)
        return True

    def release(self) -> None:
        """Ring."""
        os.eventfd_write(self._descriptor, 1)

    def close(self) -> None:
        """Give the descriptor back; nobody may ring any more."""
        os.close(self._descriptor)


class _Lock:
    """The same by a lock, where no descriptor is to be had: a lane must get its thread all the same."""

    def __init__(self) -> None:
        lock = threading.Lock()
        lock.acquire()
        self.acquire, self.release = lock.acquire, lock.release

    def close(self) -> None:
        """There is nothing to give back."""


def _new_bell() -> _Bell | _Lock:
    try:
        return _Bell()
    except (AttributeError, OSError):  # not Linux, or too many files are open
        return _Lock()


class _Worker:
    """One thread: does what it is handed, then waits for more."""

    def __init__(self, cache: ThreadCache, keep: float) -> None:
        self._cache = cache
        self._keep = keep
        self._work: _Work | None = None
        self._bell = _new_bell()

    def start(self, name: str) -> None:
        """Start the thread; raises ``RuntimeError`` if there can be no more."""
        try:
            threading.Thread(target=self._live, name=name, daemon=True).start()
        except BaseException:
            self._bell.close()
            raise

    def hand(self, work: _Work | None) -> None:
        """Give the thread its next work, or ``None`` for the end."""
        self._work = work
        self._bell.release()

    def _live(self) -> None:
        """Work until there is no more."""
        self._bell.acquire()
        while self._work is not None:
            work, arguments = self._work
            work(*arguments)
            del work, arguments  # a thread that waits must not keep a plugin's objects alive
            self._work = None
            if not self._cache.admit(self) or not self._was_handed():
                break
        self._bell.close()

    def _was_handed(self) -> bool:
        if self._bell.acquire(timeout=self._keep):
            return True
        return not self._cache.release(self) and self._bell.acquire()
