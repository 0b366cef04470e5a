"""Run a plugin's coroutines on an event loop of its own."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from typing import Any

from corehost.contract.errors import ConflictError, DisabledError


class Coroutines:
    """The event loop of one plugin, on a thread that starts with the first coroutine."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._running: set[Future[Any]] = set()
        self._closed = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop, while there is one."""
        return self._loop

    def adapt(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return *function* as one that may be called from any thread and returns what a coroutine returned."""

        @functools.wraps(function)
        def call(*args: Any, **values: Any) -> Any:
            return self.settle(function(*args, **values))

        return call

    def settle(self, result: Any) -> Any:
        """Return *result*, or what it becomes if it can be awaited."""
        if not hasattr(type(result), "__await__"):  # inspect.isawaitable is six times as slow, on every message
            return result
        if threading.current_thread() is self._thread:
            _give_up(result)
            raise ConflictError(f"A coroutine of plugin {self._owner!r} would wait for its own event loop. Await it.")
        try:
            return self.start(result).result()
        except CancelledError as error:
            raise DisabledError(f"Plugin {self._owner!r} was switched off while its coroutine ran.") from error

    def close(self) -> None:
        """Cancel what runs and end the loop and its thread."""
        with self._lock:
            self._closed = True
            loop, thread = self._loop, self._thread
            self._loop = None
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5.0)  # a coroutine that blocks its loop is the plugin's fault and cannot be ended from outside
        for outcome in list(self._running):
            outcome.cancel()  # begun too late to become a task: whoever waits must not wait for ever

    def start(self, work: Awaitable[Any]) -> Future[Any]:
        """Begin *work* in the caller's context, so that it knows what led to it; cancelling the future cancels it."""
        outcome: Future[Any] = Future()
        outcome.add_done_callback(self._running.discard)
        with self._lock:
            try:
                loop = self._opened()
            except DisabledError:
                _give_up(work)
                raise
            self._running.add(outcome)
            begin = functools.partial(_begin, work, outcome, loop)
            loop.call_soon_threadsafe(begin, context=contextvars.copy_context())
        return outcome

    def _opened(self) -> asyncio.AbstractEventLoop:
        if self._closed:
            raise DisabledError(f"Plugin {self._owner!r} is not loaded any more; its event loop is closed.")
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            name = f"plugin-{self._owner}-loop"
            self._thread = threading.Thread(target=_run, args=(self._loop,), name=name, daemon=True)
            self._thread.start()
        return self._loop


def _begin(work: Awaitable[Any], outcome: Future[Any], loop: asyncio.AbstractEventLoop) -> None:
    task = asyncio.ensure_future(work, loop=loop)
    task.add_done_callback(functools.partial(_copy_outcome, outcome))

    def cancel(done: Future[Any]) -> None:
        if done.cancelled() and not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)

    outcome.add_done_callback(cancel)


def _give_up(work: Any) -> None:
    """Close a coroutine that will never run, so that Python does not complain about it later."""
    if inspect.iscoroutine(work):
        work.close()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def _copy_outcome(outcome: Future[Any], task: asyncio.Future[Any]) -> None:
    if task.cancelled():
        outcome.cancel()
    elif outcome.cancelled():
        task.exception()  # looked at, so that asyncio does not complain: nobody waits any more
    elif (error := task.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())
