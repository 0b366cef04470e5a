"""Notice threads that are stuck in a lane."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corehost.contract.errors import LateError
from corehost.messaging.faults import FaultSink
from corehost.messaging.lane import Job, Lane

if TYPE_CHECKING:
    from corehost.messaging.lanes import Lanes

LOOKS = 8
"""Looks within one deadline."""

LONGEST = 1.0
"""Seconds between two looks at most, so that dead letters are told of in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What a lane was doing, and since when at least."""

    job: Job
    step: int
    since: float


class LaneWatch:
    """Looks at all busy lanes a few times within a deadline, so that the lanes need not look at the clock."""

    def __init__(self, lanes: Lanes, faults: FaultSink, *, deadline: float, strikes: int) -> None:
        self._lanes = lanes
        self._faults = faults
        self._deadline = deadline
        self._strikes = strikes
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._seen: dict[Lane, Sighting] = {}

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
        under_way = [(lane, job) for lane, run in self._lanes.busy() if (job := run.job) is not None]
        self._seen = {lane: self._sight(lane, job, now) for lane, job in under_way}
        for lane, sighting in self._seen.items():
            if now - sighting.since >= self._deadline:
                self._strike(lane, sighting)

    def _sight(self, lane: Lane, job: Job, now: float) -> Sighting:
        before = self._seen.get(lane)
        if before is not None and before.job is job and before.step == job.step:
            return before
        return Sighting(job=job, step=job.step, since=now)

    def _strike(self, lane: Lane, sighting: Sighting) -> None:
        is_last = lane.strikes + 1 >= self._strikes
        if not self._lanes.write_off(lane, sighting.job, sighting.step, is_last=is_last):
            return
        lane.strikes += 1
        job, limit = sighting.job, f"{self._deadline:g} s"
        text = f"{lane.owner!r} was stuck for over {limit} in a {job.where}. Give long work to context.spawn."
        self._faults.charge(lane.owner, LateError(text), where=job.where, message=job.message)
        if is_last:
            self._faults.quarantine(lane.owner, f"{lane.strikes} of its threads were stuck for over {limit}.")
