"""Slow one plugin down that has spent too much."""

from __future__ import annotations

import threading
import time

from corehost.contract.errors import BusyError

MESSAGES = 50.0
"""Messages that a throttled plugin's lane handles in a second, as long as a burst holds no more."""
LONGEST_REST = 1.0
SENDS = 50.0
"""Messages that it may send in a second."""
PLACES = 2
"""Requests, methods and hooks that it may work on at once."""


class Restraint:
    """What a throttled plugin meets: its lane rests after each burst, and it may send only so much.

    Whatever waits for it goes on waiting: a slow plugin harms itself only. What it sends to others is refused.
    """

    def __init__(self, plugin_id: str, reason: str) -> None:
        self.reason = reason
        self._plugin_id = plugin_id
        self._lifted = threading.Event()
        self._lock = threading.Lock()
        self._tokens = SENDS
        self._at = time.monotonic()

    def require_room(self) -> None:
        """Let one message be sent; raises ``BusyError`` when too many were in the last second."""
        with self._lock:
            now = time.monotonic()
            self._tokens = min(SENDS, self._tokens + (now - self._at) * SENDS)
            self._at = now
            if self._tokens >= 1:
                self._tokens -= 1
                return
        if not self._lifted.is_set():
            text = f"Plugin {self._plugin_id!r} is throttled: {self.reason}. It may send {SENDS:g} messages a second."
            raise BusyError(text)

    def rest(self, count: int) -> None:
        """Hold up the lane's thread after *count* messages, 1 s at most."""
        self._lifted.wait(min(LONGEST_REST, count / MESSAGES))

    def lift(self) -> None:
        """Let the plugin go."""
        self._lifted.set()
