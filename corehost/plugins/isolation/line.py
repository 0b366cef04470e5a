"""The line to one plugin's process, with what led to each call kept on this side."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from corehost.contract.user import Signal
from corehost.messaging.trail import Trail, current_trail, entered
from corehost.plugins.isolation.process import WorkerProcess
from corehost.plugins.isolation.rpc import Asked

SECONDS: Final = 30.0


class Lent:
    """A number for something under way that is no call; good until it is closed."""

    def __init__(self, number: int, trails: dict[int, Trail]) -> None:
        self.number = number
        self._trails = trails

    def close(self) -> None:
        """Forget the number; a second call does nothing more."""
        self._trails.pop(self.number, None)


class Line:
    """Calls into a worker.

    Who is behind a call is the host's word: the worker is told no trail, only the number of the call, and a call that
    it makes meanwhile is on the trail that the host kept under that number.
    """

    def __init__(self, process: WorkerProcess) -> None:
        self.process = process
        self._trails: dict[int, Trail] = {}
        self._numbers = itertools.count(1)

    def call(self, method: str, params: Any = None, *, seconds: float = SECONDS, signal: Signal | None = None) -> Any:
        """Return what the worker answers; the deadline is *seconds* or that of whoever waits for us, if earlier."""
        trail = current_trail()
        if trail.deadline is not None:
            seconds = max(0.0, min(seconds, trail.deadline - time.monotonic()))
        numbers: list[int] = []

        def begun(number: int) -> None:
            numbers.append(number)
            self._trails[number] = trail

        try:
            return self.process.channel.call(method, params, seconds=seconds, signal=signal, begun=begun)
        finally:
            for number in numbers:
                self._trails.pop(number, None)

    def lend(self) -> Lent:
        """Return a number under which the trail of now is kept, for a request that goes another way."""
        number = -next(self._numbers)
        self._trails[number] = current_trail()
        return Lent(number, self._trails)

    @contextmanager
    def answering(self, asked: Asked) -> Iterator[None]:
        """Do what the worker asks for on the trail of our call while which it asks."""
        trail = Trail() if asked.during is None else self._trails.get(asked.during, Trail())
        with entered(trail):
            yield
