"""Call functions of another process over one socket, many at a time in both directions."""

from __future__ import annotations

import itertools
import math
import socket
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

import msgspec

from corehost.contract.errors import BusyError, LateError, PluginFaultError
from corehost.contract.user import Signal
from corehost.messaging.threads import ThreadCache
from corehost.plugins.isolation.frames import pack
from corehost.plugins.isolation.pending import Pending
from corehost.plugins.isolation.reading import Reader, Work
from corehost.plugins.isolation.travel import error_from_json, error_to_json

LIMIT: Final = 64
SEND_SECONDS: Final = 5
"""How long the other side may leave what is sent to it unread."""
_GLANCE: Final = 0.25
"""How often a call that waits looks whether its own caller has given up, in seconds."""
_CALL, _RESULT, _ERROR, _CANCEL, _TELL, _PING, _PONG = range(7)


def refusal(reason: str) -> list[Any]:
    """Return the frame by which a worker that cannot begin says why."""
    return [_TELL, "refused", reason]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A call that came in. *during* is the number of our own call while which the other side makes it."""

    number: int
    method: str
    params: Any
    signal: Signal
    during: int | None = None


Serve = Callable[[Asked], Any]
Hear = Callable[[str, Any], None]


class Channel:
    """One end of the line.

    *serve* answers calls, each on a thread that has passed the turn to read on; *hear* is given what is only told, by
    who has the turn, so it must be quick and call nobody over this line; *closed* is called once,
    with the reason. *owner* names whose process is at the other end, for errors.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        owner: str,
        serve: Serve,
        hear: Hear = lambda _method, _params: None,
        closed: Callable[[str], None] = lambda _reason: None,
        limit: int = LIMIT,
        send_seconds: int = SEND_SECONDS,
    ) -> None:
        self._sock = sock
        self._owner = owner
        self._serve = serve
        self._hear = hear
        self._on_closed = closed
        self._limit = limit
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._numbers = itertools.count(1)
        self._pending: dict[int, Pending] = {}
        self._serving: dict[int, Signal] = {}
        self._reason: str | None = None
        self._heard_at = math.inf  # there is nobody to hear of yet
        self._threads = ThreadCache(f"corehost-rpc-{owner}")
        self._reader = Reader(sock, take=self._take, failed=self.close, ended=self._hang_up, threads=self._threads)
        # A peer that does not read must cost nobody here more than this.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", send_seconds, 0))

    def start(self) -> None:
        """Begin to read, on threads of its own beside those that call."""
        self._heard_at = time.monotonic()
        self._reader.start()

    def begin(
        self, method: str, params: Any = None, *, seconds: float | None = None, during: int | None = None
    ) -> tuple[int, Future[Any]]:
        """Send a call; return its number and the future of its result. Raises as ``call`` does when it cannot be sent.

        The future's callbacks run on one of the line's threads.
        """
        future: Future[Any] = Future()
        number, _ = self._post(method, params, seconds, during, future=future)
        return number, future

    def call(
        self,
        method: str,
        params: Any = None,
        *,
        seconds: float,
        signal: Signal | None = None,
        during: int | None = None,
        begun: Callable[[int], None] | None = None,
    ) -> Any:
        """Return what the other side answers within *seconds*; raises ``LateError`` and whatever it raised.

        When *signal* is aborted, or it is late, the other side is told that nobody waits. *begun* is given the number
        of the call before the other side can see it. Raises ``BusyError`` if too many are under way,
        ``PluginFaultError`` if the other process has gone, ``InvalidError`` and ``TooLargeError`` for *params* that
        cannot be sent.
        """
        until = time.monotonic() + seconds
        number, pending = self._post(method, params, seconds, during, begun=begun)
        left = seconds
        while not self._reader.wait(pending.baton, left if signal is None else min(left, _GLANCE)):
            left = until - time.monotonic()
            if left <= 0 or (signal is not None and signal.aborted):
                self.give_up(number)
                raise LateError(f"{self._owner!r} did not answer {method!r} within {seconds:g} s.")
        if pending.error is not None:
            raise pending.error
        return pending.value

    def give_up(self, number: int) -> None:
        """Tell the other side that nobody waits for a call of ours any more."""
        with self._lock:
            pending = self._pending.get(number)
            if pending is None:
                return
            pending.late_since = pending.late_since or time.monotonic()
        self._send(pack([_CANCEL, number]))

    def tell(self, method: str, params: Any) -> None:
        """Send something that has no answer; nothing happens if the other process has gone."""
        if self._reason is None:
            self._send(pack([_TELL, method, params], what=f"What {method!r} is given"))

    def ping(self) -> None:
        """Ask the other side for a sign of life."""
        if self._reason is None:
            self._send(pack([_PING]))

    def silence(self) -> float:
        """Return for how many seconds nothing has come, 0 before the start."""
        return max(0.0, time.monotonic() - self._heard_at)

    def overdue(self) -> tuple[str, float] | None:
        """Return the call that was given up longest ago and still has no answer, and for how many seconds."""
        with self._lock:
            late = [(p.late_since, p.method) for p in self._pending.values() if p.late_since is not None]
        if not late:
            return None
        since, method = min(late)
        return method, time.monotonic() - since

    def close(self, reason: str) -> None:
        """End the line; every call under way fails with *reason*."""
        with self._lock:
            if self._reason is not None:
                return
            self._reason = reason
            pending, self._pending = list(self._pending.values()), {}
            signals = list(self._serving.values())
        self._reader.stop()
        for call in pending:
            if (work := call.settle(None, PluginFaultError(self._gone(), plugin_id=self._owner))) is not None:
                work()
        for signal in signals:
            signal.abort()
        self._threads.close()
        self._on_closed(reason)

    def _post(
        self,
        method: str,
        params: Any,
        seconds: float | None,
        during: int | None,
        *,
        begun: Callable[[int], None] | None = None,
        future: Future[Any] | None = None,
    ) -> tuple[int, Pending]:
        number = next(self._numbers)
        frame = pack([_CALL, number, method, params, seconds, during], what=f"What {method!r} is given")
        pending = Pending(method, future)
        with self._lock:
            self._require_open()
            if len(self._pending) >= self._limit:
                raise BusyError(f"The process of {self._owner!r} works on {self._limit} calls already.")
            self._pending[number] = pending
        if begun is not None:
            begun(number)
        self._send(frame)
        return number, pending

    def _take(self, frame: Any) -> Work | None:
        """Take what came; return what is to be done about it by somebody who does not read."""
        self._heard_at = time.monotonic()
        kind, *rest = frame
        if kind == _CALL:
            return self._admitted(*rest)
        if kind in (_RESULT, _ERROR):
            return self._settled(kind, *rest)
        if kind == _CANCEL:
            if (signal := self._serving.get(*rest)) is not None:
                signal.abort()
        elif kind == _TELL:
            self._hear(*rest)
        elif kind == _PING:
            self._send(pack([_PONG]))
        elif kind != _PONG:
            raise ValueError(f"frame of kind {kind!r}")
        return None

    def _admitted(
        self, number: int, method: str, params: Any, seconds: float | None, during: int | None
    ) -> Work | None:
        signal = Signal(None if seconds is None else time.monotonic() + seconds)
        with self._lock:
            is_busy = len(self._serving) >= self._limit
            if not is_busy:
                self._serving[number] = signal
        if is_busy:
            error = BusyError(f"{self._limit} calls of {self._owner!r} are under way already.")
            self._send(pack([_ERROR, number, error_to_json(error)]))
            return None
        asked = Asked(number=number, method=method, params=params, signal=signal, during=during)
        return partial(self._answer, asked)

    def _answer(self, asked: Asked) -> None:
        try:
            frame = pack([_RESULT, asked.number, self._serve(asked)], what=f"What {asked.method!r} returns")
        except BaseException as error:  # noqa: BLE001  # a plugin may raise anything, and whoever waits must hear of it
            frame = pack([_ERROR, asked.number, error_to_json(error)])
        with self._lock:
            self._serving.pop(asked.number, None)
        self._send(frame)

    def _settled(self, kind: int, number: int, value: Any) -> Work | None:
        with self._lock:
            pending = self._pending.pop(number, None)
        if pending is None:
            raise ValueError(f"an answer to call {number!r}, which waits for none")
        return pending.settle(None, error_from_json(value)) if kind == _ERROR else pending.settle(value, None)

    def _send(self, frame: bytes) -> None:
        try:
            with self._writing:
                self._sock.sendall(frame)
        except OSError as error:
            is_slow = isinstance(error, BlockingIOError | TimeoutError)
            self.close("its process did not read what was sent to it" if is_slow else "its process has ended")

    def _hang_up(self) -> None:
        with self._writing:
            self._sock.close()

    def _require_open(self) -> None:
        if self._reason is not None:
            raise PluginFaultError(self._gone(), plugin_id=self._owner)

    def _gone(self) -> str:
        return f"Plugin {self._owner!r} cannot answer: {self._reason}."
