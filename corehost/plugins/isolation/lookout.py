"""Wait for what a socket brings: awake for a moment while that pays, else asleep."""

from __future__ import annotations

import math
import os
import select
import time
from typing import Final

LONGEST: Final = 3_600.0
"""The longest single wait, in seconds: the kernel and locks refuse an endless number."""
_LONGEST_PAUSE: Final = 63


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


MOMENT: Final = 150e-6 if _cores() > 1 else 0.0
"""How long to stay awake, in seconds: about what it takes to fall asleep and be woken where an idle core is virtual.

On the only core, who stays awake keeps the other side from working. A worker may not ask, so it is found out here.
"""


class Lookout:
    """Looks out for something to read on descriptor *number*, one thread at a time; *moment* is in seconds.

    To be woken takes longer than most calls do, so whoever expects something at once does better to stay awake for a
    moment. When that was in vain it is left out the next time, then three times, seven and so on: where things do not
    come at once, staying awake costs next to nothing.
    """

    def __init__(self, number: int, *, moment: float = MOMENT) -> None:
        self._moment = moment
        self._poll = select.poll()
        self._poll.register(number, select.POLLIN)
        self._pause = self._left_out = 0

    def comes(self, seconds: float) -> bool:
        """Wait at most *seconds*; tell whether something came."""
        return seconds > 0 and (self.comes_soon() or bool(self._poll.poll(math.ceil(min(seconds, LONGEST) * 1e3))))

    def comes_soon(self) -> bool:
        """Stay awake for a moment, if that has paid lately; tell whether something came."""
        if self._left_out < self._pause:
            self._left_out += 1
            return False
        has_come, poll, now = False, self._poll.poll, time.perf_counter
        until = now() + self._moment
        while not has_come and now() < until:
            has_come = bool(poll(0))  # lets other threads run, too
        self._pause = 0 if has_come else min(2 * self._pause + 1, _LONGEST_PAUSE)
        self._left_out = 0
        return has_come
