"""Notice lanes that stand still, and threads that are stuck in them."""

from __future__ import annotations

import sys
import threading
import time
from collections import defaultdict, deque
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from corehost.contract.errors import LateError
from corehost.messaging.faults import Blockage, FaultSink
from corehost.messaging.lane import Job, Lane, Run

if TYPE_CHECKING:
    from corehost.messaging.lanes import Lanes

LOOKS = 8
"""Looks within one deadline."""

LONGEST = 0.25
"""Seconds between two looks at most, so that blockages and dead letters are told of in time."""

BLOCKED = 1.0
"""Seconds after which a lane that does not get on counts as blocked."""

MEMORY = 600.0
"""Seconds after which a strike is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What a lane was doing, on which thread, and since when at least."""

    run: Run
    job: Job
    left: int
    since: float


class LaneWatch:
    """Looks at all busy lanes a few times within a deadline, so that the lanes need not look at the clock.

    A lane that does not get on for *blocked* seconds is told of with its thread's stack, once each time. A thread that
    is stuck for the *deadline* is written off: a strike. After *strikes* within *memory* seconds the owner is
    quarantined.
    """

    def __init__(
        self,
        lanes: Lanes,
        faults: FaultSink,
        *,
        deadline: float,
        strikes: int,
        blocked: float = BLOCKED,
        memory: float = MEMORY,
    ) -> None:
        self._lanes = lanes
        self._faults = faults
        self._deadline = deadline
        self._strikes = strikes
        self._blocked = min(blocked, deadline)
        self._memory = memory
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._seen: dict[Lane, Sighting] = {}
        self._told: dict[Lane, Sighting] = {}
        self._struck: defaultdict[Lane, deque[float]] = defaultdict(deque)

    def start(self) -> None:
        """Begin to look, if that has not happened yet."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._live, name="corehost-lane-watch", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._closed.set()

    def _live(self) -> None:
        while not self._closed.wait(min(LONGEST, self._deadline / LOOKS)):
            self._look()
            self._lanes.letters.flush()

    def _look(self) -> None:
        now = time.monotonic()
        under_way = [(lane, run, job) for lane, run in self._lanes.busy() if (job := run.job) is not None]
        self._seen = {lane: self._sight(lane, run, job, now) for lane, run, job in under_way}
        self._tell_those_that_go_on(now)
        for lane, sighting in self._seen.items():
            stuck = now - sighting.since
            if stuck >= self._blocked and lane not in self._told:
                self._told[lane] = sighting
                self._faults.blocked(lane.owner, _blockage(sighting, stuck))
            if stuck >= self._deadline:
                self._strike(lane, sighting)
        self._forget_strikes(now)

    def _sight(self, lane: Lane, run: Run, job: Job, now: float) -> Sighting:
        before = self._seen.get(lane)
        if before is not None and before.job is job and before.left == run.left():
            return before
        return Sighting(run=run, job=job, left=run.left(), since=now)

    def _tell_those_that_go_on(self, now: float) -> None:
        for lane, told in list(self._told.items()):
            if self._seen.get(lane) is not told:
                del self._told[lane]
                self._faults.unblocked(lane.owner, now - told.since)

    def _strike(self, lane: Lane, sighting: Sighting) -> None:
        struck = self._struck[lane]
        is_last = len(struck) + 1 >= self._strikes
        if not self._lanes.write_off(lane, sighting.job, sighting.left, is_last=is_last):
            return
        struck.append(time.monotonic())
        job, limit = sighting.job, f"{self._deadline:g} s"
        text = f"{lane.owner!r} was stuck for over {limit} in a {job.where}. Give long work to context.spawn."
        self._faults.charge(lane.owner, LateError(text), where=job.where, message=job.message)
        if is_last:
            self._faults.quarantine(lane.owner, f"{len(struck)} of its threads were stuck for over {limit}.")

    def _forget_strikes(self, now: float) -> None:
        for lane, struck in list(self._struck.items()):
            while struck and now - struck[0] > self._memory:
                struck.popleft()
            if not struck:
                del self._struck[lane]


def _blockage(sighting: Sighting, seconds: float) -> Blockage:
    job = sighting.job
    return Blockage(where=job.where, message=job.message, seconds=seconds, frame=_frame_of(sighting.run))


def _frame_of(run: Run) -> FrameType | None:
    """Return where the thread is that works on *run*."""
    return sys._current_frames().get(run.thread)
