"""A browser's connection: what waits to be sent to it, and how it ends."""

from __future__ import annotations

import logging
import socket
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from enum import Enum
from itertools import islice

from corehost.web.relay.backend import Identity
from corehost.web.relay.frames import Wire
from corehost.web.relay.limits import RelayLimits
from corehost.web.relay.loop import READ, WRITE, Loop

NORMAL, GOING_AWAY, UNSUPPORTED, POLICY, TOO_BIG, INTERNAL, TRY_LATER = 1000, 1001, 1003, 1008, 1009, 1011, 1013

_RECEIVE = 32_768
_BLOCKS = 64  # in one sendmsg; the kernel takes at most 1,024

_log = logging.getLogger(__name__)


class State(Enum):
    """Where a connection is in its life; it only ever moves down this list."""

    OPEN = "open"
    CLOSING = "closing"  # the farewell is queued behind what was there
    DRAINING = "draining"  # all is sent and our side is shut; what comes is thrown away until the peer shuts too
    CLOSED = "closed"


class Client(ABC):
    """Owns one socket. Whatever is written to it goes through ``write`` or ``send``, in that order.

    Lives on the loop's thread. *left* is called once, as soon as nothing more is to be delivered.
    """

    wire: Wire

    def __init__(
        self, sock: socket.socket, identity: Identity, loop: Loop, limits: RelayLimits, left: Callable[[Client], None]
    ) -> None:
        self.identity = identity
        self.state = State.OPEN
        self.pending = 0  # bytes queued
        self.heard = True  # since the last heartbeat
        self.silent = 0  # heartbeats missed in a row
        self.drained: list[Callable[[], None]] = []  # called once, when nothing waits any more
        self._sock = sock
        self._send = sock.send
        self._loop = loop
        self._limits = limits
        self._left = left
        self._queue: deque[bytes] = deque()
        self._offset = 0  # how much of the queue's first block is sent
        self._events = READ
        self._deadline: Callable[[], None] | None = None

    @abstractmethod
    def receive(self, data: bytes) -> None:
        """Take in what the client sent."""

    @abstractmethod
    def farewell(self, code: int, reason: str) -> bytes:
        """Return the last bytes to send, which tell the client why it ends."""

    @abstractmethod
    def whole(self, block: bytes, offset: int) -> int:
        """Return up to where *block* must be sent after *offset* so that nothing is cut in two."""

    @abstractmethod
    def beat(self) -> None:
        """Send the sign of life."""

    def open(self, early: bytes) -> None:
        """Begin to read; *early* is what the client had sent already."""
        try:
            self._tune()
        except OSError:  # it has gone already
            self.abort()
            return
        self._loop.watch(self._sock, self._events, self)
        if early:
            self.receive(early)

    def write(self, block: bytes) -> None:
        """Queue *block*; all that is queued in a round of the loop goes out in one send."""
        if self.state is not State.OPEN:
            return
        if self.pending > self._limits.out_buffer:
            self._overflow()
            return
        self._queue.append(block)
        self.pending += len(block)
        if not self._events & WRITE:
            self._loop.flush_soon(self)

    def send(self, block: bytes) -> None:
        """Send *block* at once if nothing is queued before it."""
        if self._queue or self.state is not State.OPEN:
            self.write(block)
            return
        try:
            sent = self._send(block)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.abort()
            return
        if sent != len(block):
            self._queue.append(block)
            self._offset = sent
            self.pending = len(block) - sent
            self._listen(self._events | WRITE)

    def flush(self) -> None:
        """Send what is queued, as far as the kernel takes it."""
        try:
            while self._queue:
                if not self._send_some():
                    break
        except BlockingIOError:
            pass
        except OSError:
            self.abort()
            return
        if self._queue:
            self._listen(self._events | WRITE)
        elif self.state is not State.CLOSED:
            self._listen(self._events & ~WRITE)
            self._all_sent()

    def close(self, code: int, reason: str = "") -> None:
        """Say farewell after what is queued, then end; the client has ``close_wait`` to take it all."""
        self._close(code, reason, self._limits.close_wait)

    def abort(self) -> None:
        """End at once, whatever is still queued."""
        if self.state is State.CLOSED:
            return
        self._leave(State.CLOSED)
        if self._deadline is not None:
            self._deadline()
        self._loop.watch(self._sock, 0, self)
        self._queue.clear()
        self._sock.close()

    def ready(self, events: int) -> None:
        """Read or write what can be without waiting."""
        if events & READ:
            self._read()
        if events & WRITE and self.state is not State.CLOSED:
            self.flush()

    def pause(self, paused: bool) -> None:
        """Stop reading, or read again: who sends faster than it is served must wait."""
        if self.state is State.OPEN:
            self._listen(self._events & ~READ if paused else self._events | READ)

    @property
    def paused(self) -> bool:
        """Whether reading has stopped."""
        return not self._events & READ

    def _tune(self) -> None:
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._limits.send_buffer)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # finds a dead peer that has nothing to say, as a stream's client
            lost_after = int(self._limits.heartbeat * (self._limits.misses + 1) * 1_000)
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, lost_after)

    def _read(self) -> None:
        try:
            data = self._sock.recv(_RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._ended()
        elif self.state is State.OPEN:
            self.heard = True
            self.receive(data)

    def _ended(self) -> None:
        if self.state is State.CLOSING:  # it may still read what is queued for it
            self._listen(self._events & ~READ)
        else:
            self.abort()

    def _send_some(self) -> bool:
        """Send once; return whether the kernel took all that it was offered."""
        first = memoryview(self._queue[0])[self._offset :] if self._offset else self._queue[0]
        blocks = [first, *islice(self._queue, 1, _BLOCKS)]
        offered = sum(map(len, blocks))
        sent = self._send(first) if len(blocks) == 1 else self._sock.sendmsg(blocks)
        self.pending -= sent
        self._offset += sent
        while self._queue and self._offset >= len(self._queue[0]):
            self._offset -= len(self._queue.popleft())
        return sent == offered

    def _all_sent(self) -> None:
        if self.state is State.CLOSING:
            self.state = State.DRAINING
            self._half_close()
        elif self.drained:
            waiting, self.drained = self.drained, []
            for run in waiting:
                run()

    def _half_close(self) -> None:
        """Shut our side only: to close with bytes unread would reset the connection and eat the farewell."""
        if not self._events & READ:
            self.abort()
            return
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.abort()

    def _overflow(self) -> None:
        """Close a client that does not read: it gets the frame at hand to its end and then the farewell."""
        _log.info("A client of %s does not read; it is closed and can resume.", self.identity.user.id)
        head = self._queue[0]
        rest = head[self._offset : self.whole(head, self._offset)]
        self._queue = deque([rest] if rest else [])
        self._offset, self.pending = 0, len(rest)
        # The kernel's buffer is full of what the client has not read; make room for the farewell behind it.
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._limits.send_buffer * 3)
        self._close(TRY_LATER, "Too slow: read faster, or resume from the last cursor.", self._limits.slow_wait)

    def _close(self, code: int, reason: str, wait: float) -> None:
        if self.state is not State.OPEN:
            return
        last = self.farewell(code, reason)
        self._leave(State.CLOSING)
        if last:
            self._queue.append(last)
            self.pending += len(last)
        self._deadline = self._loop.later(wait, self.abort)
        self._listen(self._events | READ)
        self._loop.flush_soon(self)

    def _leave(self, state: State) -> None:
        was_open, self.state = self.state is State.OPEN, state
        if was_open:
            self.drained.clear()
            self._left(self)

    def _listen(self, events: int) -> None:
        if events != self._events:
            self._events = events
            self._loop.watch(self._sock, events, self)
