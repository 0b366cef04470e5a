"""Run calls into the host beside the loop, a few threads for all clients, each client in its own order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from corehost.web.relay.loop import Loop

Run = Callable[[], Any]
Done = Callable[["Future[Any]"], None]


class CallQueue:
    """The calls of one client: one at a time, in order."""

    __slots__ = ("jobs", "queued")

    def __init__(self) -> None:
        self.jobs: deque[tuple[Run, Done]] = deque()
        self.queued = False  # among those that wait for a thread, or running


class Calls:
    """Serves the queues in turn, so that nobody's calls starve another's.

    What a call returns is handed to its *done* on the loop; a call that returns a future (a plugin's answer) frees
    the thread at once, and *done* is called when the future is. Threads are started when there is work for them.
    """

    def __init__(self, loop: Loop, threads: int) -> None:
        self._loop = loop
        self._limit = threads
        self._changed = threading.Condition()
        self._waiting: deque[CallQueue] = deque()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False

    def submit(self, queue: CallQueue, run: Run, done: Done) -> None:
        """Call *run* after what is in *queue* already, then *done* on the loop."""
        with self._changed:
            queue.jobs.append((run, done))
            if queue.queued:
                return
            queue.queued = True
            self._waiting.append(queue)
            if self._idle >= len(self._waiting) or len(self._threads) >= self._limit:
                self._changed.notify()
            else:
                self._start_thread()

    def close(self) -> None:
        """Let the threads end when they are done with what they run; what still waits is dropped."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._serve, name=f"relay-call-{len(self._threads) + 1}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while (queue := self._next()) is not None:
            run, done = queue.jobs.popleft()
            outcome = _outcome_of(run)
            outcome.add_done_callback(lambda future, done=done: self._loop.post(partial(done, future)))  # type: ignore[misc]  # the default binds
            with self._changed:
                queue.queued = bool(queue.jobs)
                if queue.queued:
                    self._waiting.append(queue)

    def _next(self) -> CallQueue | None:
        with self._changed:
            while not self._waiting and not self._closed:
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            return None if self._closed else self._waiting.popleft()


def _outcome_of(run: Run) -> Future[Any]:
    outcome: Future[Any] = Future()
    try:
        value = run()
    except Exception as error:  # noqa: BLE001  # whatever the host raises becomes the answer's error
        outcome.set_exception(error)
        return outcome
    if isinstance(value, Future):
        return value
    outcome.set_result(value)
    return outcome
