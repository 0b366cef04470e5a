"""One worker as the host holds it: its line, its door for pages, and its end."""

from __future__ import annotations

import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from corehost.contract.errors import PluginFaultError
from corehost.plugins.isolation.rpc import Channel, Serve
from corehost.plugins.isolation.spawner import Child

HEARTBEAT: Final = 1.0
"""How often each worker is looked at, in seconds."""
_WINDOW: Final = 10.0


class Flood:
    """Counts what a worker says unasked; says when it is too much for ten seconds."""

    def __init__(self, *, messages: int = 20_000, size: int = 20_000_000) -> None:
        self._most = (messages, size)
        self._began = 0.0
        self._count = self._size = 0

    def is_too_much(self, size: int) -> bool:
        """Note one more message of *size* characters; tell whether that was too much."""
        now = time.monotonic()
        if now - self._began > _WINDOW:
            self._began, self._count, self._size = now, 0, 0
        self._count += 1
        self._size += size
        return self._count > self._most[0] or self._size > self._most[1]


class WorkerProcess:
    """A running worker. *died* is called once, with the reason, if it ends before ``close``."""

    def __init__(self, plugin_id: str, *, door: Path, scratch: Path, died: Callable[[str], Any]) -> None:
        self.plugin_id = plugin_id
        self.scratch = scratch
        self._door = door
        self._died = died
        self._lock = threading.Lock()
        self._reason: str | None = None
        self._is_closed = False
        self._child: Child | None = None
        self.channel: Channel

    def open(self, line: socket.socket, *, serve: Serve, hear: Callable[[str, Any], None]) -> None:
        """Begin to speak over *line*; before the process is there, so that nothing is missed."""
        self.channel = Channel(line, owner=self.plugin_id, serve=serve, hear=hear, closed=self._on_closed)

    def begin(self, child: Child) -> None:
        """Take the process over."""
        self._child = child
        self.channel.start()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._child.pid if self._child else 0

    def connect(self, seconds: float) -> socket.socket:
        """Return a connection on which the worker can be asked for one page."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(seconds)
        try:
            connection.connect(str(self._door))
        except OSError as error:
            connection.close()
            raise PluginFaultError(f"Plugin {self.plugin_id!r} cannot be reached: {error}.") from error
        return connection

    def kill(self, reason: str) -> None:
        """End the process for *reason*, which counts as a death."""
        with self._lock:
            self._reason = self._reason or reason
        if self._child is not None:
            self._child.kill()
        self.channel.close(reason)

    def close(self) -> None:
        """End the process; nothing of it stays, its scratch folder neither."""
        self._is_closed = True
        if self._child is not None:
            self._child.kill()
        self.channel.close("it was switched off")
        if self._child is not None:
            self._child.ended.result(10.0)
        self._door.unlink(missing_ok=True)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _on_closed(self, reason: str) -> None:
        with self._lock:
            self._reason = self._reason or reason
        if self._child is not None:
            self._child.kill()  # whatever closed the line: without it, a worker is of no use
            self._child.ended.add_done_callback(lambda ended: self._tell(ended.result()))

    def _tell(self, code: int) -> None:
        if not self._is_closed:
            self._died(f"{self._reason}{_cause(code)}")


def _cause(code: int) -> str:
    if code in (0, -signal.SIGKILL):  # by itself or by us
        return ""
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f" ({name})"
