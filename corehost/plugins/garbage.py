"""Collect what plugins leave, without walking each time over all that the start has made."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SHARE = 20
"""A collection of everything stops the process; it may do so for one part in so many of the time."""
_NEVER = 1_000_000


@contextmanager
def growing() -> Iterator[None]:
    """While a host starts, look at new objects only, then set all that is there aside.

    Nearly all that a start makes stays. With a thousand plugins, to walk over it takes half a second in which nothing
    else runs, a dozen times during the start and once for each plugin that goes. For the process that serves, and no
    other: what is set aside and becomes garbage is found by a ``Collector`` only.
    """
    young, middle, old = gc.get_threshold()
    gc.set_threshold(young, middle, _NEVER)
    try:
        yield
    finally:
        gc.set_threshold(young, middle, old)
        gc.freeze()


class Collector:
    """Parts functions from their modules, which hold on to each other."""

    def __init__(self) -> None:
        self._rested = 0.0

    def collect(self, is_clean: Callable[[], bool]) -> bool:
        """Collect until *is_clean*, at last among all that was set aside; false if that must wait, to try again."""
        if is_clean():
            return True
        gc.collect()
        if is_clean() or not gc.get_freeze_count():
            return True
        began = time.monotonic()
        if began < self._rested:
            return False
        with thawed():
            gc.collect()
        self._rested = time.monotonic() + _SHARE * (time.monotonic() - began)
        return True


@contextmanager
def thawed() -> Iterator[None]:
    """Have what was set aside among what is collected, and found by ``gc``, for a while."""
    is_frozen = gc.get_freeze_count() > 0
    gc.unfreeze()
    try:
        yield
    finally:
        if is_frozen:
            gc.freeze()
