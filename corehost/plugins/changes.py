"""Do what changes plugins one after the other, on one thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any, TypeVar

from corehost.contract.errors import ConflictError, LateError

T = TypeVar("T")

# Global because a context variable must be; hooks run in a copy of the life-cycle thread's context, so they have it.
_inside: ContextVar[bool] = ContextVar("corehost_inside_change", default=False)


class Changes:
    """The life-cycle thread: takes up changes in the order in which they were asked for."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def submit(self, change: Callable[[], T]) -> Future[T]:
        """Ask for *change* and return a future of what it returns; raises ``ConflictError`` once closed."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise ConflictError("The host is stopping; plugins do not change any more.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="corehost-life-cycle", daemon=True)
                self._thread.start()
            self._queue.put((future, change))
        return future

    def wait(self, future: Future[T], timeout: float | None) -> T:
        """Return the result of a change; raises ``LateError`` if it is still under way after *timeout* seconds."""
        if _inside.get():
            # It would wait for itself: the change waits for the hook, the hook for a later change.
            raise ConflictError("A plugin's life-cycle hook cannot wait for another change of plugins.")
        try:
            return future.result(timeout)
        except TimeoutError:
            if future.done():
                raise
            raise LateError(f"The change is still under way after {timeout:g} s. Look at the status later.") from None

    def close(self, last: Callable[[], Any], timeout: float | None = None) -> None:
        """Do what was asked for, then *last*, then end the thread."""
        future = self.submit(last)
        with self._lock:
            self._closed = True
            self._queue.put(None)
            thread = self._thread
        self.wait(future, timeout)
        if thread is not None:
            thread.join(timeout)

    def _run(self) -> None:
        _inside.set(True)
        while (job := self._queue.get()) is not None:
            _carry_out(*job)
            del job  # until the next comes it would hold on to its failure, and that to the plugin's code


def _carry_out(future: Future[Any], change: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(change())
    except BaseException as error:  # noqa: BLE001  # whoever waits gets it; the next change must be done
        future.set_exception(error)
