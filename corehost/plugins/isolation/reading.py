"""Read a socket by whichever thread has the shortest way: one that waits for an answer, else one that stands by."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from corehost.messaging.threads import ThreadCache
from corehost.plugins.isolation.frames import BrokenFrameError, Frames
from corehost.plugins.isolation.lookout import LONGEST, Lookout

_STANDING: Final = 2
"""How many threads stand by: one to take a call and do it, one to read meanwhile."""

Work = Callable[[], None]
Baton = threading.Lock
"""Held until what its owner waits for has come."""


class Reader:
    """Takes frames off *sock*, one thread at a time.

    An answer is read by the thread that waits for it, and a call by the thread that then does it: handing things from
    thread to thread takes longer than they do. Whoever reads has the turn. Nobody who stands by is woken meanwhile;
    afterwards the kernel wakes one of them, once for what has come. A thread that does more than read has passed the
    turn on before, and never leaves nobody to take it.

    *take* is given each frame by who has the turn, must be quick, and returns what is to be done without the turn.
    *failed* is called with the reason when nothing more can come; ``stop`` must follow. *ended* is called when nobody
    uses the socket for reading any more.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        take: Callable[[Any], Work | None],
        failed: Callable[[str], None],
        ended: Callable[[], None],
        threads: ThreadCache,
    ) -> None:
        self._sock = sock
        self._number = sock.fileno()
        self._frames = Frames(sock)
        self._take = take
        self._failed = failed
        self._ended = ended
        self._threads = threads
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._standing = 0
        self._is_over = False
        self._answers = Lookout(self._number)
        self._calls = Lookout(self._number)
        self._unawaited = select.epoll()
        self._unawaited.register(self._number, select.EPOLLIN | select.EPOLLONESHOT)

    def start(self) -> None:
        """Have a thread stand by."""
        self._threads.run(self._stand_by)

    def wait(self, baton: Baton, seconds: float) -> bool:
        """Wait for *baton* at most *seconds*, and read meanwhile unless somebody else does; tell whether it came."""
        if not self._turn.acquire(blocking=False):
            return baton.acquire(timeout=min(seconds, LONGEST))
        try:
            self._watch(0)
            until = time.monotonic() + seconds
            while baton.locked() and self._answers.comes(until - time.monotonic()):
                for work in self._read():
                    self._threads.run(work)
        finally:
            self._pass_on()
        return baton.acquire(blocking=False)

    def stop(self) -> None:
        """Read no more."""
        with self._lock:
            self._is_over = True
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)  # wakes all who wait for it
        self._dispose()

    def _stand_by(self) -> None:
        while self._may_stand():
            self._unawaited.poll()
            with self._lock:
                self._standing -= 1
            # Where somebody else has the turn, who has it passes it on later.
            has_more = self._turn.acquire(blocking=False)
            while has_more:
                works = self._read()
                self._pass_on()
                self._do(works)
                has_more = bool(works) and self._follow_up()
        if self._is_over:
            self._dispose()

    def _follow_up(self) -> bool:
        """Look out for what may come right after what was done; take the turn if it does."""
        if not self._turn.acquire(blocking=False):
            return False
        self._watch(0)
        if self._calls.comes_soon():
            return True
        self._pass_on()
        return False

    def _may_stand(self) -> bool:
        with self._lock:
            is_needed = not self._is_over and self._standing < _STANDING
            self._standing += is_needed
        return is_needed

    def _do(self, works: Sequence[Work]) -> None:
        if not works:
            return
        if not self._standing:
            self.start()
        *others, own = works
        for work in others:
            self._threads.run(work)
        own()

    def _read(self) -> list[Work]:
        """Take what has come, and return what there is to do about it."""
        works: list[Work] = []
        try:
            works.extend(work for frame in self._frames.arrived() if (work := self._take(frame)) is not None)
        except (EOFError, OSError):
            self._failed("its process has ended")
        except (BrokenFrameError, ValueError, TypeError, LookupError, AttributeError) as error:
            self._failed(f"its process sent what makes no sense ({error})"[:200])
        return works

    def _pass_on(self) -> None:
        self._turn.release()
        self._watch(select.EPOLLIN)  # only now: whom it wakes must find the turn free, or lose the only call
        if self._is_over:
            self._dispose()

    def _watch(self, events: int) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed meanwhile
            self._unawaited.modify(self._number, events | select.EPOLLONESHOT)

    def _dispose(self) -> None:
        """Leave the socket for good if nobody reads or stands by; the last to do so calls this, too."""
        with self._lock:
            if self._standing or not self._turn.acquire(blocking=False):
                return
        self._unawaited.close()
        self._ended()
