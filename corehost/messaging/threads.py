"""Threads that are kept for a while when their work is done, as starting one costs more than most work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from corehost.messaging.bells import Bell, LockBell

KEEP = 10.0
"""Seconds that a thread waits for more work before it ends."""

_Work = tuple[Callable[..., Any], tuple[Any, ...]]


class ThreadCache:
    """Runs each piece of work at once, on a thread that waits for some or on a new one.

    It sets no limit; who hands it work does. Its threads are daemons, so none holds up the end of the process.
    *new_bell* makes what wakes a thread.
    """

    def __init__(self, name: str, *, keep: float = KEEP, new_bell: Callable[[], Bell] = LockBell) -> None:
        self._name = name
        self._keep = keep
        self._new_bell = new_bell
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
            worker = _Worker(self, self._keep, self._new_bell())
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


class _Worker:
    """One thread: does what it is handed, then waits for more."""

    def __init__(self, cache: ThreadCache, keep: float, bell: Bell) -> None:
        self._cache = cache
        self._keep = keep
        self._work: _Work | None = None
        self._bell = bell

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
        self._bell.ring()

    def _live(self) -> None:
        """Work until there is no more."""
        self._bell.wait()
        while self._work is not None:
            work, arguments = self._work
            work(*arguments)
            del work, arguments  # a thread that waits must not keep a plugin's objects alive
            self._work = None
            if not self._cache.admit(self) or not self._was_handed():
                break
        self._bell.close()

    def _was_handed(self) -> bool:
        if self._bell.wait(self._keep):
            return True
        return not self._cache.release(self) and self._bell.wait()
