"""Show a store to somebody whose subscribers must run in a lane of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from corehost.contract.stores import Readable

T = TypeVar("T")
Undo = Callable[[], None]
Submit = Callable[[Callable[[], Any], object], Any]
"""Takes work and a key; work of the same key that has not started yet is replaced."""


class Watched(Readable[T]):
    """A view of *store*: whoever sets the store only hands the news to *submit*, and never waits for a subscriber.

    A subscriber is told the latest value; values that a newer one overtook are skipped. *keep* is handed the undo
    of each subscription, so that all of them end with the one who watches.
    """

    def __init__(self, store: Readable[T], submit: Submit, keep: Callable[[Undo], Undo] = lambda undo: undo) -> None:
        super().__init__()
        self._store = store
        self._submit = submit
        self._keep = keep
        self._stop: Undo | None = None

    def snapshot(self) -> tuple[T, int]:
        """Return value and version as they belong together."""
        return self._store.snapshot()

    def subscribe(self, run: Callable[[T], Any]) -> Undo:
        """Call *run* with the value now, in this thread, and after each change in the lane."""
        return self._keep(super().subscribe(run))

    def _wake(self) -> None:
        self._stop = self._store.subscribe(self._tell)

    def _sleep(self) -> None:
        stop, self._stop = self._stop, None
        if stop is not None:
            stop()

    def _tell(self, _value: T) -> None:
        self._submit(self._notify, self)


def watch(store: Readable[T], submit: Submit, keep: Callable[[Undo], Undo] = lambda undo: undo) -> Watched[T]:
    """Return a view of *store* whose subscribers are called through *submit*."""
    return Watched(store, submit, keep)
