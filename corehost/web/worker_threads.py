"""The threads that serve requests, and the queue by which they hand connections back to the worker's main loop."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from gunicorn.workers.gthread import PollableMethodQueue

Job = Callable[[], None]


class WorkerThreads:
    """Runs jobs on at most *most* threads; all but the jobs themselves happens on the main loop.

    A pool of ``concurrent.futures`` would cost a future, a condition and two locks a request, a tenth of what a short
    request takes, for questions that nobody asks.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._started = 0
        self._unfinished = 0

    def submit(self, job: Job) -> None:
        """Run *job*, which must not raise, as soon as a thread is free."""
        self._unfinished += 1
        if self._started < min(self._unfinished, self._most):
            self._started += 1
            threading.Thread(target=self._serve, name=f"request-{self._started}", daemon=True).start()
        self._jobs.put(job)

    def finished(self) -> None:
        """Count one job less; said by the main loop when it hears of the end."""
        self._unfinished -= 1

    def shutdown(self, wait: bool = False) -> None:
        """Let the threads end after their jobs; gunicorn waits for those by itself."""
        for _ in range(self._started):
            self._jobs.put(None)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


class Deferred(PollableMethodQueue):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's queue of calls for the main loop, which rings once for all that it has not looked at."""

    def __init__(self) -> None:
        super().__init__()
        self._is_rung = False

    def defer(self, callback: Callable[..., None], *args: Any) -> None:
        """Call *callback* on the main loop; may be said from any thread and from a signal handler."""
        self._queue.put(partial(callback, *args))
        if not self._is_rung:
            self._is_rung = True  # cleared by the loop before it looks, so nothing is left behind
            with suppress(OSError):  # the pipe is full: the loop wakes anyway
                os.write(self._write_fd, b"\0")

    def run_callbacks(self, _fileobj: int, max_callbacks: int = 50) -> None:
        """Run what was deferred until now; what these defer waits for the next turn."""
        with suppress(OSError):
            os.read(self._read_fd, 4_096)
        self._is_rung = False
        with suppress(Empty):
            for _ in range(self._queue.qsize()):
                self._queue.get_nowait()()
