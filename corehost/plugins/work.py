"""Give a plugin time and threads of its own, measured, charged and ended with it."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

from corehost.contract.errors import BusyError, DisabledError, InvalidError
from corehost.contract.user import Signal
from corehost.messaging.timers import Timers
from corehost.plugins.closers import Closers
from corehost.plugins.faults import Faults
from corehost.plugins.registry import Plugin
from corehost.state.watching import Submit

MAX_THREADS = 32
JOIN_SECONDS = 5.0
Undo = Callable[[], None]


class Work:
    """The timers and threads of one plugin."""

    def __init__(self, plugin: Plugin, timers: Timers, submit: Submit, closers: Closers, faults: Faults) -> None:
        self._plugin = plugin
        self._timers = timers
        self._submit = submit
        self._closers = closers
        self._faults = faults
        self._places = threading.Semaphore(MAX_THREADS)

    def every(self, seconds: float, work: Callable[[], Any]) -> Undo:
        """Call *work* in the plugin's lane every *seconds*."""
        call, key = self._plugin.adapt(work), object()
        # One key: a turn that comes while the last one still waits takes its place.
        return self._closers.keep(self._timers.every(_positive(seconds), lambda: self._submit(call, key)))

    def later(self, seconds: float, work: Callable[[], Any]) -> Undo:
        """Call *work* in the plugin's lane once, after *seconds*."""
        call, key = self._plugin.adapt(work), object()
        undo: list[Undo] = []

        def turn() -> None:
            self._submit(call, key)
            for forget in undo:
                forget()

        undo.append(self._closers.keep(self._timers.later(_positive(seconds), turn)))
        return undo[0]

    def spawn(self, work: Callable[..., Any]) -> Undo:
        """Run *work* on a thread of its own; the undo aborts its signal and waits up to 5 s for its end.

        Raises ``BusyError`` when 32 threads of the plugin run already.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError(f"Plugin {self._plugin.id!r} runs {MAX_THREADS} threads already. End one first.")
        spawned = _Spawned(self._plugin, work, self._faults, self._places.release)
        try:
            undo = self._closers.keep(spawned.stop)
        except DisabledError:
            self._places.release()
            raise
        spawned.start(undo)
        return undo


class _Spawned:
    """One thread of a plugin, and the coroutine that it may wait for."""

    def __init__(self, plugin: Plugin, work: Callable[..., Any], faults: Faults, leave: Undo) -> None:
        self._plugin = plugin
        self._work = work
        self._faults = faults
        self._leave = leave
        self._signal = Signal()
        self._coroutine: Future[Any] | None = None
        self._forget: Undo = lambda: None
        self._thread = threading.Thread(target=self._run, name=f"plugin-{plugin.id}-spawned", daemon=True)

    def start(self, forget: Undo) -> None:
        self._forget = forget
        self._thread.start()

    def stop(self) -> None:
        self._signal.abort()
        if self._coroutine is not None:
            self._coroutine.cancel()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        started = time.monotonic()
        try:
            result = self._work(self._signal) if _takes_signal(self._work) else self._work()
            self._await(result)
        except CancelledError:
            return
        except BaseException as error:  # noqa: BLE001  # the thread ends here, whatever the plugin raised
            self._faults.charge(self._plugin.id, error, where="spawn")
        finally:
            self._leave()
            self._faults.took(self._plugin.id, "spawn", time.monotonic() - started)
            self._forget()

    def _await(self, result: Any) -> None:
        if not hasattr(type(result), "__await__") or self._plugin.coroutines is None:
            return
        self._coroutine = self._plugin.coroutines.start(result)
        if self._signal.aborted:
            self._coroutine.cancel()
        self._coroutine.result()


def _takes_signal(work: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(work).parameters.values()
    except (TypeError, ValueError):  # something built in: it has no signature to look at
        return False
    return any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty for p in parameters)


def _positive(seconds: Any) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < float("inf"):
        raise InvalidError(f"{seconds!r} is no number of seconds greater than 0.")
    return float(seconds)
