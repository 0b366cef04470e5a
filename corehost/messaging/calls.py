"""Calls into plugins on threads beside their lanes, each with a deadline."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from typing import Any

from corehost.contract.errors import AbortedError, BusyError, LateError
from corehost.contract.user import Signal
from corehost.messaging.threads import ThreadCache
from corehost.messaging.timers import Timers
from corehost.messaging.trail import NO_TRAIL, Trail, entered

LIMIT = 32


class Calls:
    """Runs calls of each owner on at most *limit* threads.

    A call that is late is given up, but its thread cannot be stopped: it holds its place until it really ends, so
    an owner whose calls are all stuck is busy at once instead of taking ever more threads.
    """

    def __init__(self, *, limit: int = LIMIT) -> None:
        self._limit = limit
        self._lock = threading.RLock()  # a finalizer may come in between, see order.py
        self._running: Counter[str] = Counter()
        self._limits: dict[str, int] = {}
        self._threads = ThreadCache("corehost-call")
        self._timers = Timers("corehost-deadlines")
        self._waited_for: set[Future[Any]] = set()

    def call(
        self,
        owner: str,
        function: Callable[..., Any],
        *arguments: Any,
        timeout: float | None,
        trail: Trail = NO_TRAIL,
        signal: Signal | None = None,
    ) -> Any:
        """Return ``function(*arguments)``, or raise what it raises.

        Raises ``BusyError`` if *owner* has no place for it, ``LateError`` after *timeout* seconds; *signal* is then
        aborted.
        """
        return self.submit(owner, function, *arguments, timeout=timeout, trail=trail, signal=signal).result()

    def submit(
        self,
        owner: str,
        function: Callable[..., Any],
        *arguments: Any,
        timeout: float | None,
        trail: Trail = NO_TRAIL,
        signal: Signal | None = None,
    ) -> Future[Any]:
        """Begin the call and return its future; raises ``BusyError``. Cancelling the future aborts *signal*."""
        future = self.start(owner, function, *arguments, trail=trail)
        self.give_up_after(future, timeout, signal or Signal(), f"{owner!r} did not answer within {timeout or 0:g} s.")
        return future

    def start(self, owner: str, function: Callable[..., Any], *arguments: Any, trail: Trail) -> Future[Any]:
        """Begin the call without a deadline and return its future; raises ``BusyError``."""
        with self._lock:
            limit = self._limits.get(owner, self._limit)
            if self._running[owner] >= limit:
                raise BusyError(f"{owner!r} works on {limit} calls already. Try again when some have ended.")
            self._running[owner] += 1
        future: Future[Any] = Future()
        self._threads.run(self._run, owner, future, trail, function, arguments)
        return future

    def give_up_after(self, future: Future[Any], timeout: float | None, signal: Signal, text: str) -> None:
        """Let *future* fail with a ``LateError`` of *text* after *timeout* seconds; *signal* aborts if it fails so."""
        undo = None
        if timeout is not None:
            undo = self._timers.later(max(0.0, timeout), lambda: _fail(future, LateError(text)))
        with self._lock:
            self._waited_for.add(future)

        def done(future: Future[Any]) -> None:
            if undo is not None:
                undo()
            with self._lock:
                self._waited_for.discard(future)
            if future.cancelled() or isinstance(future.exception(), LateError | AbortedError):
                signal.abort()

        future.add_done_callback(done)

    def restrict(self, owner: str, limit: int | None) -> None:
        """Run at most *limit* further calls of *owner* at once; ``None`` for as many as usual."""
        with self._lock:
            if limit is None:
                self._limits.pop(owner, None)
            else:
                self._limits[owner] = limit

    def running(self) -> Mapping[str, int]:
        """Return how many threads work for each owner."""
        with self._lock:
            return dict(self._running)

    def close(self) -> None:
        """Give up every call and let the threads end."""
        with self._lock:
            futures = list(self._waited_for)
        for future in futures:
            _fail(future, AbortedError("The host is stopping."))
        self._timers.close()
        self._threads.close()

    def _run(
        self, owner: str, future: Future[Any], trail: Trail, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> None:
        failure: BaseException | None = None
        result = None
        try:
            with entered(trail):
                result = function(*arguments)
        except BaseException as error:  # noqa: BLE001  # whatever it is, it belongs to who waits for the future
            failure = error
        self._give_back(owner)  # before the future is told, so that who waited for it finds the place free
        if failure is not None:
            _fail(future, failure)
            return
        with contextlib.suppress(InvalidStateError):  # late or cancelled
            future.set_result(result)

    def _give_back(self, owner: str) -> None:
        with self._lock:
            self._running[owner] -= 1
            if not self._running[owner]:
                del self._running[owner]


def _fail(future: Future[Any], error: BaseException) -> None:
    with contextlib.suppress(InvalidStateError):
        future.set_exception(error)
