"""What wakes a thread that waits for work."""

from __future__ import annotations

import os
import select
import threading
from typing import Protocol


class Bell(Protocol):
    """Wakes the one thread that waits for it, or is about to."""

    def ring(self) -> None:
        """Wake who waits, or the next who does."""

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it rings, at most *seconds*; return whether it did."""

    def close(self) -> None:
        """Give back what it took; nobody may ring or wait any more."""


class LockBell:
    """For those who have more to do: who rings goes on, and who was woken waits for the interpreter."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held until it rings
        self._lock.acquire()
        self.ring = self._lock.release

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it rings, at most *seconds*; return whether it did."""
        return self._lock.acquire(timeout=-1 if seconds is None else seconds)

    def close(self) -> None:
        """Nothing is to be given back."""


class DescriptorBell:
    """For those who will wait for whom they wake: the interpreter goes over at once.

    Whoever releases a lock still holds the interpreter when the other thread wakes, which takes the core only to wait,
    and sets a timer for that. Writing to a descriptor gives the interpreter up first: a request takes half the time.
    (With ten lanes that a sender wakes one after another, each message would cost five times as much.)
    """

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    def ring(self) -> None:
        """Wake who waits, or the next who does."""
        os.eventfd_write(self._descriptor, 1)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it rings, at most *seconds*; return whether it did."""
        if not self._poll.poll(None if seconds is None else seconds * 1_000):
            return False
        os.eventfd_read(self._descriptor)
        return True

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)


def prompt_bell() -> Bell:
    """Return a ``DescriptorBell``, or a ``LockBell`` where none is to be had: a call needs its thread all the same."""
    try:
        return DescriptorBell()
    except (AttributeError, OSError):  # not Linux, or too many files are open
        return LockBell()
