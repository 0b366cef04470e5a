"""One thread that waits for many sockets, and runs what other threads post to it."""

from __future__ import annotations

import heapq
import itertools
import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE

_log = logging.getLogger(__name__)


class Watched(Protocol):
    """Owns a socket that the loop waits for."""

    def ready(self, events: int) -> None:
        """Read or write what can be without waiting; *events* is ``READ``, ``WRITE`` or both."""

    def flush(self) -> None:
        """Send what was queued in this round."""

    def abort(self) -> None:
        """Give the socket up; called after one of the others raised."""


class Loop:
    """Waits, then runs what is due: sockets, posted calls, timers; at the end of a round what was queued is sent.

    ``post`` may be called from any thread and from a signal handler, everything else on the loop's own thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._selector = selectors.DefaultSelector()
        self._bell: socket.socket | None = None
        self._rung = False
        self._posted: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._wanted: set[int] = set()  # timers that were neither run nor cancelled
        self._numbers = itertools.count()
        self._unflushed: dict[Watched, None] = {}
        self._sockets: set[socket.socket] = set()
        self._running = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; not done in ``__init__``, because threads do not survive a fork."""
        self._running = True
        inbox, self._bell = socket.socketpair()
        inbox.setblocking(False)
        self._bell.setblocking(False)
        self._selector.register(inbox, READ)
        self._thread = threading.Thread(target=self._run, args=(inbox,), name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread after this round."""
        self._running = False

    def join(self, timeout: float) -> bool:
        """Wait for the end of the thread; return whether it came."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    @property
    def sockets(self) -> int:
        """How many sockets it waits for; may be asked from any thread."""
        return len(self._sockets)

    def post(self, run: Callable[[], None]) -> None:
        """Run *run* on the loop, soon."""
        self._posted.append(run)
        bell = self._bell  # none before the start, when nobody sleeps, and after the end, when nobody is left
        if not self._rung and bell is not None:
            self._rung = True  # cleared by the loop before it looks, so nothing posted is left behind
            with suppress(OSError):  # it is full: the loop wakes anyway
                bell.send(b"\0")

    def later(self, seconds: float, run: Callable[[], None]) -> Callable[[], None]:
        """Run *run* after *seconds*, unless the returned function is called before."""
        number = next(self._numbers)
        heapq.heappush(self._timers, (time.monotonic() + seconds, number, run))
        self._wanted.add(number)
        return lambda: self._wanted.discard(number)

    def watch(self, sock: socket.socket, events: int, owner: Watched) -> None:
        """Wait for *events* of *sock*; none stops waiting for it."""
        if events and sock in self._sockets:
            self._selector.modify(sock, events, owner)
        elif events:
            self._sockets.add(sock)
            self._selector.register(sock, events, owner)
        elif sock in self._sockets:
            self._sockets.remove(sock)
            self._selector.unregister(sock)

    def flush_soon(self, owner: Watched) -> None:
        """Flush *owner* at the end of this round, so that all it queued goes out in one send."""
        self._unflushed[owner] = None

    def _run(self, inbox: socket.socket) -> None:
        while self._running:
            for key, events in self._selector.select(self._timeout()):
                if key.fileobj is inbox:
                    inbox.recv(4096)
                else:
                    self._guarded(key.data, key.data.ready, events)
            self._run_posted()
            self._run_timers()
            self._flush()
        for key in list(self._selector.get_map().values()):
            if key.data is not None:
                self._guarded(None, key.data.abort)
        self._selector.close()
        inbox.close()
        bell, self._bell = self._bell, None
        if bell is not None:
            bell.close()

    def _timeout(self) -> float | None:
        if self._posted or self._unflushed:
            return 0
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _run_posted(self) -> None:
        self._rung = False
        for _ in range(len(self._posted)):  # what these post waits for the next round: sockets get their turn
            self._guarded(None, self._posted.popleft())

    def _run_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            _, number, run = heapq.heappop(self._timers)
            if number in self._wanted:
                self._wanted.remove(number)
                self._guarded(None, run)

    def _flush(self) -> None:
        while self._unflushed:
            unflushed, self._unflushed = self._unflushed, {}
            for owner in unflushed:
                self._guarded(owner, owner.flush)

    def _guarded(self, owner: Watched | None, run: Callable[..., None], *arguments: int) -> None:
        try:
            run(*arguments)
        except Exception:  # noqa: BLE001  # a mistake in serving one client must not end the thread that serves all
            _log.exception("The relay failed at one step; it goes on.")
            if owner is not None:
                owner.abort()
