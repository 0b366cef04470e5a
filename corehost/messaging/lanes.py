"""The lanes of all plugins and the threads that work them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from corehost.contract.errors import ConflictError, LateError
from corehost.messaging.dead import DeadLetters, Reason
from corehost.messaging.faults import FaultSink
from corehost.messaging.lane import BURST, OWN, Box, Job, Lane, Run, Settle, as_it_is
from corehost.messaging.threads import ThreadCache
from corehost.messaging.trail import NO_TRAIL, current_trail, step_into
from corehost.messaging.watch import LaneWatch
from corehost.messaging.work import LatestWork, Work

SHARE = 1_024
DEADLINE = 30.0
STRIKES = 3

SLOW, QUICK = 0.01, 0.002
"""Seconds from which on a burst is halved, and up to which it is doubled."""

Undo = Callable[[], None]


class Lanes:
    """Gives each owner a lane, and each lane that has work a thread.

    ``share`` is how much of one source may wait in one lane; ``deadline`` how many seconds one handler may take
    before its thread is written off, ``strikes`` how often until the owner is quarantined. There are never more
    threads than lanes, but for those that are written off and have not come back.
    """

    def __init__(
        self, faults: FaultSink, *, share: int = SHARE, deadline: float = DEADLINE, strikes: int = STRIKES
    ) -> None:
        self.letters = DeadLetters()
        self._faults = faults
        self._share = share
        self._deadline = deadline
        self._lanes: dict[str, Lane] = {}
        self._busy: set[Lane] = set()
        self._lock = threading.RLock()  # a finalizer may come in between, see order.py
        self._rested = threading.Condition(self._lock)
        self._threads = ThreadCache("corehost-lane")
        self._latest = LatestWork()
        self._watch = LaneWatch(self, faults, deadline=deadline, strikes=strikes)

    def open(self, owner: str, settle: Settle = as_it_is) -> Undo:
        """Give *owner* a lane; the undo turns what still waits in it into dead letters and stops its thread."""
        with self._lock:
            if owner in self._lanes:
                raise ConflictError(f"{owner!r} has a lane already. Close that one first.")
            lane = Lane(owner, self, share=self._share, deadline=self._deadline, settle=settle)
            self._lanes[owner] = lane
            self._threads.keep(len(self._lanes))
        self._watch.start()
        return lambda: self._shut(lane)

    def lane(self, owner: str) -> Lane | None:
        """Return the lane of *owner*, if it has one."""
        return self._lanes.get(owner)

    def submit(
        self, owner: str, work: Callable[[], Any], *, where: str = "timer", latest: Hashable | None = None
    ) -> bool:
        """Run *work* in the lane of *owner*; return whether there was place for it.

        With ``latest``, it takes the place of earlier work of the same key that has not started.
        """
        lane = self._lanes.get(owner)
        if lane is None:
            return False
        if latest is None:
            return self._put(lane, Work(owner, work, where, current_trail(), self._faults))
        job = Work(owner, work, where, current_trail(), self._faults, key=(lane, latest), latest=self._latest)
        return self._latest.takes_place(job) or self._put(lane, job)

    def depths(self) -> Mapping[str, int]:
        """Return how many jobs wait in each lane."""
        return {owner: lane.depth() for owner, lane in list(self._lanes.items())}

    def handled(self) -> Mapping[str, int]:
        """Return how many jobs each lane has done."""
        return {owner: lane.handled for owner, lane in list(self._lanes.items())}

    def drain(self, timeout: float = 10.0) -> None:
        """Wait until no lane has anything to do; raises ``LateError`` that names those which have."""
        with self._lock:
            if not self._rested.wait_for(lambda: not self._busy, timeout):
                names = ", ".join(sorted(repr(lane.owner) for lane in self._busy))
                raise LateError(f"The lanes of {names} still have work after {timeout:g} s.")

    def close(self) -> None:
        """Close every lane and let the threads end."""
        for lane in list(self._lanes.values()):
            self._shut(lane)
        self._watch.close()
        self._threads.close()

    # --- what lanes and their watch ask for ---

    def admit(self, lane: Lane, box: Box) -> None:
        """Take up a box that has just got something, and give the lane a thread if it has none."""
        with self._lock:
            if lane.refusal is not None:
                self._lose(lane, [box], lane.refusal)
            elif box and not box.listed:  # a thread that looked once more may have emptied it by now
                box.listed = True
                lane.turns.append(box)
                if lane.run is None:
                    self._give_thread(lane)

    def has_more(self, lane: Lane, box: Box, run: Run) -> bool:
        """Strike off an empty box; return whether *run* has others to work off."""
        with self._lock:
            return lane.run is run and self._strike_off(lane, box)

    def has_left(self, lane: Lane, run: Run) -> bool:
        """Return whether *run* is no longer the lane's."""
        with self._lock:
            return lane.run is not run

    def busy(self) -> list[tuple[Lane, Run]]:
        """Return the lanes that have a thread, with what it does."""
        with self._lock:
            return [(lane, lane.run) for lane in self._busy if lane.run is not None]

    def write_off(self, lane: Lane, job: Job, left: int, *, is_last: bool) -> bool:
        """Leave the thread to itself that is stuck in *job* with *left* calls to go; false if it has got on meanwhile.

        The lane goes on with a fresh thread, or stands still if this was the last.
        """
        with self._lock:
            run, lane.run = lane.run, Run()
            if run is None or run.job is not job or run.left() != left:
                lane.run = run  # it has come back; whichever it saw, ``has_left`` tells it that it may go on
                return False
            if is_last:
                self._end(lane, "quarantined")
                return True
            box, rest = lane.turns[0], job.rest(left)
            if rest is not None:
                box.appendleft(rest)
            if box or self._strike_off(lane, box):
                self._give_thread(lane)
            return True

    # --- under the lock ---

    def _give_thread(self, lane: Lane) -> None:
        lane.run = Run()
        self._busy.add(lane)
        self._threads.run(self._work_off, lane, lane.run)

    def _strike_off(self, lane: Lane, box: Box) -> bool:
        """Take an empty box out of the turns; return whether the lane has others. Without, it goes to rest."""
        box.listed = False
        if box:  # something came before the line above could be seen
            box.listed = True
            return True
        lane.turns.popleft()
        if not lane.turns:
            self._rest(lane)
        return bool(lane.turns)

    def _rest(self, lane: Lane) -> None:
        lane.run = None
        self._busy.discard(lane)
        if not self._busy:
            self._rested.notify_all()

    def _end(self, lane: Lane, reason: Reason) -> None:
        boxes = lane.refuse(reason)
        self._lose(lane, boxes, reason)
        lane.turns.clear()
        self._rest(lane)

    def _lose(self, lane: Lane, boxes: list[Box], reason: Reason) -> None:
        for box in boxes:
            while box:
                try:
                    box.popleft().lose(self.letters, lane.owner, reason)
                except IndexError:  # the lane's thread took the last one; it loses that itself
                    break
            box.wake_senders()

    # --- without ---

    def _work_off(self, lane: Lane, run: Run) -> None:
        """Work off *lane* on this thread until it is empty or *run* is no longer its own."""
        run.thread = threading.get_ident()
        step_into(run)
        most, has_more = BURST, True
        while has_more:
            lag, began = _lag(lane), time.monotonic()
            has_more = lane.burst(run, self._faults, most)
            seconds = time.monotonic() - began
            self._faults.took(lane.owner, "handler", seconds, count=run.done, lag=lag)
            if seconds > SLOW:  # the slower they are, the fewer are told of as one
                most = max(1, most // 2)
            elif seconds < QUICK:
                most = min(BURST, most * 2)
        step_into(NO_TRAIL)  # a thread that waits must not keep the last message alive

    def _put(self, lane: Lane, job: Work) -> bool:
        reason = lane.put(OWN, job)
        if reason is None:
            return True
        job.lose(self.letters, lane.owner, reason)
        self.letters.flush()
        return False

    def _shut(self, lane: Lane) -> None:
        with self._lock:
            if self._lanes.get(lane.owner) is not lane:
                return
            del self._lanes[lane.owner]
            self._end(lane, "gone")
            self._threads.keep(len(self._lanes))
        self.letters.flush()


def _lag(lane: Lane) -> float | None:
    """Return the seconds since the message was sent that comes next, ``None`` if something else does."""
    try:
        message = lane.turns[0][0].message
    except IndexError:  # the lane was closed
        return None
    return None if message is None else max(0.0, time.time() - message.timestamp / 1_000)
