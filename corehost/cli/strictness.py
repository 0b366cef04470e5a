"""End `corehost serve` at the first fault of a plugin, with nothing left behind."""

from __future__ import annotations

import mmap
import os
import signal
import sys
import threading


class Strictness:
    """Made before the server's processes part ways, so that the one that serves can tell the one that waits."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._flag = mmap.mmap(-1, 1)  # shared with what is forked from here
        self._lock = threading.Lock()

    @property
    def has_ended_it(self) -> bool:
        """Whether a plugin has failed."""
        return self._flag[0] == 1

    def tell(self, text: str) -> None:
        """Say what failed, and have the server stop as on SIGTERM: plugins unloaded, workers ended, locks released."""
        sys.stderr.write(f"Strict: {text}\n")
        sys.stderr.flush()
        with self._lock:
            is_first = not self.has_ended_it
            self._flag[0] = 1
        if is_first:
            os.kill(self._pid, signal.SIGTERM)
