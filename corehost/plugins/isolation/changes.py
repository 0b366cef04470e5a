"""Tell the subscribers of a plugin's stores of changes, one after the other and by no thread that reads the line."""

from __future__ import annotations

import threading
from collections.abc import Callable

from corehost.messaging.threads import ThreadCache

Tell = Callable[[], None]


class Changes:
    """The changes that subscribers were not told of yet.

    A subscriber may take its time, and may call the plugin back: whose answer is read meanwhile. Each store waits once
    at most, as subscribers hear of its newest value. *failed* is given what a subscriber raised.
    """

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._lock = threading.Lock()
        self._waiting: dict[str, Tell] = {}
        self._is_telling = False
        self._threads = ThreadCache("corehost-stores")

    def put(self, name: str, tell: Tell) -> None:
        """Have *tell* called for the store *name*, after those that wait already."""
        with self._lock:
            self._waiting[name] = tell
            is_begun, self._is_telling = self._is_telling, True
        if not is_begun:
            self._threads.run(self._tell_all)

    def close(self) -> None:
        """Tell of nothing that waits; a subscriber who is being told is not waited for."""
        with self._lock:
            self._waiting.clear()
        self._threads.close()

    def _tell_all(self) -> None:
        while (tell := self._next()) is not None:
            try:
                tell()
            except Exception as error:  # noqa: BLE001  # a subscriber may raise anything; the next must still hear
                self._failed(error)

    def _next(self) -> Tell | None:
        with self._lock:
            self._is_telling = bool(self._waiting)
            return self._waiting.pop(next(iter(self._waiting))) if self._waiting else None
