"""The inbox of one plugin: its sources take turns, and one thread at a time works it off."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from functools import partial
from typing import Protocol

from corehost.contract.message import Message
from corehost.messaging.dead import DeadLetters, Reason
from corehost.messaging.faults import FaultSink

BURST = 256
"""Jobs after which a thread tells how long it worked."""

CROWD = 64
"""Boxes from which on the empty ones are cleared away; users come and go."""

OWN = ""
"""The source of work that the owner gave itself: timers, events, changes of stores."""


class Job(Protocol):
    """One thing to do in a lane; ``step`` grows while it gets on, ``where`` says in a fault what it was."""

    step: int

    @property
    def where(self) -> str: ...
    @property
    def message(self) -> Message | None: ...

    def run(self, faults: FaultSink) -> None:
        """Do it; what a plugin's code raises is charged, never raised."""

    def rest(self) -> Job | None:
        """Return what remains when the step under way is given up."""

    def lose(self, letters: DeadLetters, owner: str, reason: Reason) -> None:
        """Take note that it will never be done."""


class Box(deque[Job]):
    """What one source has waiting in a lane. ``listed``: the lane's thread knows that there is something."""

    __slots__ = ("listed", "senders")

    def __init__(self) -> None:
        super().__init__()
        self.listed = False
        self.senders: list[threading.Event] = []  # those that wait for room

    def wake_senders(self) -> None:
        """Tell all who wait for room to look."""
        while self.senders:
            self.senders.pop().set()


class Run:
    """One thread's time in a lane; ``job`` is under way.

    A lane obeys its present run only, so a thread that was written off finds itself alone.
    """

    __slots__ = ("job",)

    def __init__(self) -> None:
        self.job: Job | None = None


class Hub(Protocol):
    """Where lanes get their threads; who works a lane is decided there, under one lock."""

    letters: DeadLetters

    def admit(self, lane: Lane, box: Box) -> None:
        """Take up a box that has just got something, and give the lane a thread if it has none."""

    def has_more(self, lane: Lane, box: Box, run: Run) -> bool:
        """Strike off an empty box; return whether *run* has others to work off."""

    def has_left(self, lane: Lane, run: Run) -> bool:
        """Return whether *run* is no longer the lane's."""


class Lane:
    """The inbox of one owner. Its thread calls ``burst``, everyone else ``put``.

    Putting and taking share no lock: a deque's ``append`` and ``popleft`` are atomic, and the rare steps in which
    the two sides must agree are written so that each first says what it did and then looks at the other; at least
    one of them then sees both (Dekker), and takes the lock.
    """

    def __init__(self, owner: str, hub: Hub, *, share: int, deadline: float) -> None:
        self.owner = owner
        self.share = share
        self.deadline = deadline
        self.boxes = {OWN: Box()}
        self.turns: deque[Box] = deque()  # boxes with something in them
        self.run: Run | None = None
        self.strikes = 0
        self.handled = 0
        self.refusal: Reason | None = None  # set once the lane takes nothing more; its share is 0 then
        self.take_up = partial(hub.admit, self)
        self._hub = hub
        self._low = share * 3 // 4  # who waits for room gets a quarter of it at once: waking threads is dear

    def put(self, source: str, job: Job) -> Reason | None:
        """Add *job* and return ``None``, or why there is no place for it. Never waits.

        Jobs of one source must be put one at a time; the bus puts under the lock that orders messages.
        """
        box = self.boxes.get(source)
        if box is None:
            box = self.box_of(source)
        if len(box) >= self.share:
            return self.refusal or "overflow"
        box.append(job)
        if not box.listed:
            self.take_up(box)
        return None

    def has_room(self, source: str) -> bool:
        """Tell whether *source* may put something now; a lane that takes nothing more keeps nobody waiting."""
        box = self.boxes.get(source)
        return box is None or len(box) < self.share or self.refusal is not None

    def await_room(self, source: str) -> threading.Event:
        """Return what is set when there may be room again for *source*."""
        room = threading.Event()
        self.box_of(source).senders.append(room)
        if self.has_room(source):  # made after we looked and before we said that we wait
            room.set()
        return room

    def leave_room(self, source: str, room: threading.Event) -> None:
        """Wait for room no more."""
        box = self.boxes.get(source)
        if box is not None and room in box.senders:
            with contextlib.suppress(ValueError):  # the lane's thread was just about to set it
                box.senders.remove(room)

    def box_of(self, source: str) -> Box:
        """Return the box of *source*, with a new one if need be."""
        box = self.boxes.get(source)
        if box is None:
            if len(self.boxes) >= CROWD:
                used = {name: box for name, box in self.boxes.items() if box or box.listed or box.senders}
                self.boxes = {OWN: self.boxes[OWN], **used}
            box = self.boxes[source] = Box()
        return box

    def depth(self) -> int:
        """Return how many jobs wait."""
        return sum(len(box) for box in list(self.turns))

    def burst(self, run: Run, faults: FaultSink) -> bool:
        """Work off up to ``BURST`` jobs; return whether there is more for *run* to do."""
        turns, hub = self.turns, self._hub
        for _ in range(BURST):
            try:
                box = turns[0]
                run.job = job = box.popleft()
            except IndexError:  # emptied from outside: the lane was closed
                return False
            if self.run is not run and hub.has_left(self, run):
                job.lose(hub.letters, self.owner, self.refusal or "gone")
                return False
            if box.senders and len(box) <= self._low:
                box.wake_senders()
            job.run(faults)
            run.job = None
            self.handled += 1
            if self.run is not run and hub.has_left(self, run):
                return False
            if not box:
                if not hub.has_more(self, box, run):
                    return False
            elif len(turns) > 1:
                turns.rotate(-1)
        return True
