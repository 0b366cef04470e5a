"""Hold storage transactions open for a plugin in another process, each on a thread of its own."""

from __future__ import annotations

import itertools
import queue
import threading
from concurrent.futures import Future
from typing import Any, Final

from corehost.contract.context import PluginStorage, StorageTransaction
from corehost.contract.errors import BusyError, CorehostError, LateError, NotFoundError

_SECONDS: Final = 10.0
"""How long a transaction may do nothing before it is rolled back."""
_MOST: Final = 8
_VERBS: Final = frozenset({"get", "set", "delete", "clear", "keys"})
_KEEP, _ROLL_BACK = "keep", "roll back"
_Step = tuple[str, list[Any], Future[Any]]


class _RolledBackError(CorehostError):
    """Leaves a transaction without keeping it."""


class HeldTransactions:
    """The open transactions of one plugin. A transaction belongs to one thread, and calls come on many."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._open: dict[int, queue.SimpleQueue[_Step]] = {}

    def begin(self, storage: PluginStorage) -> int:
        """Open a transaction and return its number."""
        steps: queue.SimpleQueue[_Step] = queue.SimpleQueue()
        with self._lock:
            if len(self._open) >= _MOST:
                raise BusyError(f"{_MOST} transactions are open already. End one first.")
            number = next(self._numbers)
            self._open[number] = steps
        begun: Future[None] = Future()
        threading.Thread(
            target=self._hold, args=(number, storage, steps, begun), name="corehost-transaction", daemon=True
        ).start()
        begun.result()
        return number

    def do(self, number: int, verb: str, arguments: list[Any]) -> Any:
        """Read or write inside of a transaction."""
        if verb not in _VERBS:
            raise NotFoundError(f"A transaction has no {str(verb)[:80]!r}.")
        return self._ask(number, verb, arguments)

    def end(self, number: int, is_kept: bool) -> None:
        """Keep what was done, or roll it back."""
        self._ask(number, _KEEP if is_kept else _ROLL_BACK, [])

    def close(self) -> None:
        """Roll everything back."""
        with self._lock:
            steps, self._open = list(self._open.values()), {}
        for each in steps:
            each.put((_ROLL_BACK, [], Future()))

    def _ask(self, number: int, verb: str, arguments: list[Any]) -> Any:
        with self._lock:
            steps = self._open.get(number)
        if steps is None:
            raise NotFoundError("That transaction has ended.")
        done: Future[Any] = Future()
        steps.put((verb, arguments, done))
        try:
            return done.result(_SECONDS)
        except TimeoutError:
            raise LateError("The transaction did not get on.") from None

    def _hold(self, number: int, storage: PluginStorage, steps: queue.SimpleQueue[_Step], begun: Future[None]) -> None:
        ended: list[Future[Any]] = [begun]
        failure: BaseException | None = None
        try:
            with storage.transaction() as entries:
                ended.remove(begun)
                begun.set_result(None)
                _follow(entries, steps, ended)
        except _RolledBackError:
            failure = None
        except BaseException as error:  # noqa: BLE001  # whoever waits must hear of it, whatever it is
            failure = error
        with self._lock:
            self._open.pop(number, None)
        for waiting in ended:
            if failure is None:
                waiting.set_result(None)
            else:
                waiting.set_exception(failure)


def _follow(entries: StorageTransaction, steps: queue.SimpleQueue[_Step], ended: list[Future[Any]]) -> None:
    """Do step after step; who asks for the end is put into *ended* and told by the caller."""
    while True:
        try:
            verb, arguments, done = steps.get(timeout=_SECONDS)
        except queue.Empty:
            raise _RolledBackError("It did nothing for too long.") from None
        if verb == _KEEP:
            ended.append(done)
            return
        if verb == _ROLL_BACK:
            ended.append(done)
            raise _RolledBackError("As was asked for.")
        try:
            done.set_result(getattr(entries, verb)(*arguments))
        except Exception as error:  # noqa: BLE001  # the plugin's process hears of it, and goes on or rolls back
            done.set_exception(error)
