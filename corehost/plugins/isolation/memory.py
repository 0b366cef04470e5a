"""Lay out the template's memory so that a forked process writes to few of its pages, as it gets a copy of each."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import CodeType, FrameType, FunctionType
from typing import Any, Final

_POOL: Final = 16_384
_POOL_HEAD: Final = 48
_EMPTY: Final = 33
"""What an empty ``bytes`` takes."""

# Global as it must stay for as long as the process: what it holds keeps the places taken.
_kept: list[Any] = []


def gather(work: Callable[[], object]) -> None:
    """Move the code of all functions that *work* calls next to each other.

    The interpreter counts references to code while it runs, so that every function called costs a forked process the
    page that its code lies on. To be called before the rehearsals, as moved code is cold.
    """
    called: set[CodeType] = set()

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call":
            called.add(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    for found in gc.get_objects():
        if type(found) is FunctionType and found.__code__ in called:
            found.__code__ = found.__code__.replace()


def settle() -> None:
    """Take what is here for granted: to be called once all is imported and warm, right before the first fork."""
    gc.collect()
    _fill_holes()
    gc.freeze()  # the collector would touch, and so copy, every page in each process


def _fill_holes() -> None:
    """Take every free place between small objects, so that those of a forked process lie close together.

    Python keeps objects of one size in pools of 16 kB, and uses what was freed in one before it begins another. Once
    a whole pool was filled in a row, no place was left in those before.
    """
    for size in range(48, 513, 16):
        most = (_POOL - _POOL_HEAD) // size
        in_a_row, last = 0, 0
        while in_a_row < most - 1:
            _kept.append(bytes(size - _EMPTY))
            place = id(_kept[-1])
            in_a_row = in_a_row + 1 if place - last == size else 0
            last = place
