"""Calls into plugins on threads beside their lanes, each with a deadline."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from typing import Any

from corehost.contract.errors import AbortedError, BusyError, LateError
from corehost.contract.user import Signal
from corehost.messaging.bells import prompt_bell
from corehost.messaging.threads import ThreadCache
from corehost.messaging.timers import Timers
from corehost.messaging.trail import NO_TRAIL, Trail, step_into

LIMIT = 32

Then = Callable[[Any, BaseException | None], None]
"""Told what a call returned, or what it raised; must not raise."""


class Calls:
    """Runs calls of each owner on at most *limit* threads.

    A call that is late is given up, but its thread cannot be stopped: it holds its place until it really ends, so
    an owner whose calls are all stuck is busy at once instead of taking ever more threads.
    """

    def __init__(self, *, limit: int = LIMIT) -> None:
        self._limit = limit
        self._lock = threading.RLock()  # a finalizer may come in between, see order.py
        self._running: dict[str, int] = {}
        self._limits: dict[str, int] = {}
        self._threads = ThreadCache("corehost-call", new_bell=prompt_bell)
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
        future: Future[Any] = Future()

        def then(result: Any, failure: BaseException | None) -> None:
            if failure is not None:
                _fail(future, failure)
                return
            with contextlib.suppress(InvalidStateError):  # late or cancelled
                future.set_result(result)

        self.begin(owner, function, *arguments, trail=trail, then=then)
        self.give_up_after(future, timeout, signal or Signal(), f"{owner!r} did not answer within {timeout or 0:g} s.")
        return future

    def begin(self, owner: str, function: Callable[..., Any], *arguments: Any, trail: Trail, then: Then) -> None:
        """Begin the call, which has no deadline; *then* is told how it ended. Raises ``BusyError``."""
        with self._lock:
            limit = self._limits.get(owner, self._limit)
            running = self._running.get(owner, 0)
            if running >= limit:
                raise BusyError(f"{owner!r} works on {limit} calls already. Try again when some have ended.")
            self._running[owner] = running + 1
        self._threads.run(self._run, owner, then, trail, function, arguments)

    def give_up_after(self, future: Future[Any], timeout: float | None, signal: Signal, text: str) -> None:
        """Let *future* fail with a ``LateError`` of *text* after *timeout* seconds; *signal* aborts if it fails so."""
        undo = None
        if timeout is not None:
            undo = self._timers.later(max(0.0, timeout), lambda: _fail(future, LateError(text)))
        self._waited_for.add(future)

        def done(future: Future[Any]) -> None:
            if undo is not None:
                undo()
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
        for future in list(self._waited_for):
            _fail(future, AbortedError("The host is stopping."))
        self._timers.close()
        self._threads.close()

    def _run(
        self, owner: str, then: Then, trail: Trail, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> None:
        failure: BaseException | None = None
        result = None
        step_into(trail)
        try:
            result = function(*arguments)
        except BaseException as error:  # noqa: BLE001  # whatever it is, it belongs to who waits
            failure = error
        step_into(NO_TRAIL)  # this thread's next call has a trail of its own
        self._give_back(owner)  # before anyone is told, so that who waited finds the place free
        then(result, failure)

    def _give_back(self, owner: str) -> None:
        with self._lock:
            running = self._running[owner] - 1
            if running:
                self._running[owner] = running
            else:
                del self._running[owner]


def _fail(future: Future[Any], error: BaseException) -> None:
    with contextlib.suppress(InvalidStateError):
        future.set_exception(error)
