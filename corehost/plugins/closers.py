"""Keep the undos of what is open for one plugin, and call them in reverse."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack

from corehost.contract.errors import DisabledError

Undo = Callable[[], None]


class Closers:
    """Undos that may also be called one by one; once closed, it refuses to keep more.

    A thread of the plugin that was left behind finds it closed: what it opens is undone at once.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._lock = threading.Lock()
        self._undos: dict[int, Undo] = {}
        self._count = 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._undos)

    def keep(self, undo: Undo) -> Undo:
        """Keep *undo* until the end, and return a function that calls it once and forgets it.

        Raises ``DisabledError``, after calling *undo*, once it is closed.
        """
        with self._lock:
            is_late = self._closed
            key = self._count = self._count + 1
            if not is_late:
                self._undos[key] = undo
        if is_late:
            undo()
            self.require_open()

        def once() -> None:
            with self._lock:
                kept = self._undos.pop(key, None)
            if kept is not None:
                kept()

        return once

    def require_open(self) -> None:
        """Raise ``DisabledError`` once it is closed."""
        if self._closed:
            raise DisabledError(f"Plugin {self._owner!r} is not loaded any more; its context is closed.")

    def close(self) -> None:
        """Call all undos, the youngest first; an error of one does not keep the others from being called."""
        with self._lock:
            self._closed = True
            undos, self._undos = list(self._undos.values()), {}
        with ExitStack() as stack:
            for undo in undos:
                stack.callback(undo)
