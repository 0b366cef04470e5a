"""Count the calls inside of a plugin, and wait until the last has left."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from corehost.contract.errors import DisabledError


class Gate:
    """Lets calls in until it is closed."""

    def __init__(self, plugin_id: str) -> None:
        self._plugin_id = plugin_id
        self._changed = threading.Condition()
        self._inside = 0
        self._closed = False

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be inside while the block runs; raises ``DisabledError`` once the gate is closed."""
        with self._changed:
            if self._closed:
                raise DisabledError(f"Plugin {self._plugin_id!r} is being switched off.")
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Let nobody in any more."""
        with self._changed:
            self._closed = True

    def wait_empty(self, until: float) -> bool:
        """Wait until nobody is inside, at most until the moment *until* (``time.monotonic``); tell whether it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._inside == 0, max(0.0, until - time.monotonic()))
