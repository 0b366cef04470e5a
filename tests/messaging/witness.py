"""What tests of messaging watch with, and wait with instead of sleeping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from corehost.contract.message import Message
from corehost.messaging.faults import Blockage

Bystanders = frozenset[threading.Thread]

PATIENCE = 10.0
"""Seconds after which a test gives up waiting for what should come at once."""


@dataclass
class Charge:
    owner: str
    error: BaseException
    where: str
    message: Message | None


@dataclass
class Account:
    """A ``FaultSink`` that remembers."""

    charges: list[Charge] = field(default_factory=list)
    quarantined: list[tuple[str, str]] = field(default_factory=list)
    times: list[tuple[str, str, float]] = field(default_factory=list)
    blockages: list[tuple[str, Blockage]] = field(default_factory=list)
    went_on: list[tuple[str, float]] = field(default_factory=list)
    charged: threading.Event = field(default_factory=threading.Event)
    quarantine_called: threading.Event = field(default_factory=threading.Event)

    def charge(self, owner: str, error: BaseException, *, where: str, message: Message | None = None) -> None:
        self.charges.append(Charge(owner, error, where, message))
        self.charged.set()

    def quarantine(self, owner: str, reason: str) -> None:
        self.quarantined.append((owner, reason))
        self.quarantine_called.set()

    def took(
        self, owner: str, what: str, seconds: float, *, count: int = 1, lag: float | None = None, is_part: bool = False
    ) -> None:
        if not is_part:  # it is told again as part of a burst
            self.times.append((owner, what, seconds))

    def blocked(self, owner: str, blockage: Blockage) -> None:
        self.blockages.append((owner, blockage))

    def unblocked(self, owner: str, seconds: float) -> None:
        self.went_on.append((owner, seconds))


class Gate:
    """Holds up whoever comes until it is opened, and tells when somebody has come."""

    def __init__(self) -> None:
        self._come = threading.Semaphore(0)
        self._open = threading.Event()

    def __call__(self, *_: object) -> None:
        self._come.release()
        assert self._open.wait(PATIENCE), "nobody opened the gate"

    def await_visitor(self) -> None:
        assert self._come.acquire(timeout=PATIENCE), "nobody came"

    def open(self) -> None:
        self._open.set()


def ignore(message: object) -> None:
    """Hear something and do nothing."""


def eventually(condition: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Wait until *condition* holds, for what nobody announces."""
    pause, until = threading.Event(), time.monotonic() + patience
    while not condition():
        assert time.monotonic() < until, "it never came about"
        pause.wait(0.002)


def await_end(*names: str, but: Bystanders = frozenset()) -> None:
    """Wait until no thread whose name begins with one of *names* lives, except those of earlier tests in *but*."""
    for thread in threading.enumerate():
        if thread.name.startswith(names) and thread not in but:
            thread.join(PATIENCE)
            assert not thread.is_alive(), f"{thread.name} is still alive"
