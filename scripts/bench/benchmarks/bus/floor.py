"""The floor: stamp messages in one order and hand them to a thread, and nothing more. Run as `… <work> <seconds>`."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from benchmarks.bus.works import Counts, Work, answer, endless, rate_of, reading, works
from corehost.web.server import SWITCH_SECONDS

_MOST = 1_024
_WAIT, _PAUSE = 60.0, 0.0002


class Stamped(msgspec.Struct, gc=False):
    """The least that the contract promises of a message; ours has four fields more, and would make the floor dearer."""

    id: str
    type: str
    source: str
    payload: Any
    timestamp: int
    seq: int


Handle = Callable[[Stamped], None]
Handlers = tuple[Handle, ...]
_Job = tuple[Stamped, Handlers]


class BareLane:
    """Stamps a message and hands it to a thread under one lock; nothing is checked, permitted, kept, caught or told."""

    def __init__(self, work: Work) -> None:
        self._counts = Counts()
        self._types = endless(work)
        self._lane: deque[_Job] = deque()
        self._bell = threading.Semaphore(0)
        self._is_idle = True
        self._send = self._sender(_heard(work, self._handler))
        self.handled = self._counts.total
        threading.Thread(target=self._live, daemon=True).start()

    def _handler(self) -> Handle:
        cell = self._counts.cell()

        def handle(_: Stamped) -> None:
            cell[0] += 1

        return handle

    def _sender(self, heard: Mapping[str, Handlers]) -> Callable[[str, Any], Stamped]:
        """Return what publishes a message and returns it; everything is at hand, as a look-up counts here."""
        lock, put, now = threading.RLock(), self._lane.append, time.time
        acquire, release = lock.acquire, lock.release
        seq = 0

        def send(type: str, payload: Any) -> Stamped:
            nonlocal seq
            handlers = heard[type]
            acquire()
            seq += 1
            message = Stamped(str(seq), type, "sender", payload, int(now() * 1_000), seq)
            put((message, handlers))
            release()
            if self._is_idle:
                self._is_idle = False
                self._bell.release()
            return message

        return send

    def send_many(self, count: int) -> None:
        """Send, and wait for room where the lane is full."""
        send, lane = self._send, self._lane
        for type in itertools.islice(self._types, count):
            while len(lane) >= _MOST:
                time.sleep(_PAUSE)
            send(type, reading())

    def finish(self) -> None:
        """Wait until all is handled."""
        until = time.monotonic() + _WAIT
        while not self._is_idle or self._lane:
            assert time.monotonic() < until, "the lane did not get on"
            time.sleep(_PAUSE)

    def _live(self) -> None:
        take = self._lane.popleft
        while self._bell.acquire():
            while self._lane:
                message, handlers = take()
                for handle in handlers:
                    handle(message)
            self._is_idle = True
            if self._lane:  # it came before the line above could be seen, and nobody has rung
                self._is_idle = False
                self._bell.release()


def _heard(work: Work, handler: Callable[[], Handle]) -> Mapping[str, Handlers]:
    """Return by type who hears it, worked out beforehand."""
    prefixes = [(prefix, handler()) for prefix in work.prefixes]
    heard: dict[str, Handlers] = {}
    for type in work.exact:
        heard[type] = (*heard.get(type, ()), handler())
    for type in set(work.types):
        heard[type] += tuple(handle for prefix, handle in prefixes if type.startswith(prefix))
    return heard


def main(key: str, seconds: float) -> None:
    """Measure it at one work, at the pace of `corehost serve`."""
    sys.setswitchinterval(SWITCH_SECONDS)
    work = works()[key]
    answer(rate=rate_of(BareLane(work), work.hearers, seconds))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
