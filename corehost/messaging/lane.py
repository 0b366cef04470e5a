"""The inbox of one plugin: its sources take turns, and one thread at a time works it off."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from corehost.contract.message import Message
from corehost.messaging.dead import DeadLetters, Reason
from corehost.messaging.faults import FaultSink
from corehost.messaging.trail import NO_TRAIL, Trail

BURST = 256
"""Jobs after which a thread tells how long it worked."""

CROWD = 64
"""Boxes from which on the empty ones are cleared away; users come and go."""

Settle = Callable[[Any], Any]
"""Makes of what a handler returned what it becomes: waits for a coroutine, and leaves the rest as it is."""

OWN = ""
"""The source of work that the owner gave itself: timers, events, changes of stores."""


def as_it_is(result: Any) -> Any:
    """Settle the results of an owner that has no coroutines."""
    return result


class Call(Protocol):
    """One handler of a message, or one piece of work, which has no message."""

    @property
    def call(self) -> Callable[[Any], Any]: ...


class Job(Protocol):
    """One thing to do in a lane: ``calls``, one after the other; ``where`` says in a fault what they are."""

    @property
    def calls(self) -> Sequence[Call]: ...
    @property
    def where(self) -> str: ...
    @property
    def message(self) -> Message | None: ...

    def rest(self, left: int) -> Job | None:
        """Return what remains when the call under way is given up, and *left* come after it."""

    def lose(self, letters: DeadLetters, owner: str, reason: Reason) -> None:
        """Take note that it will never be done."""

    def its_trail(self) -> Trail:
        """Return the trail of what it does."""


class Box(deque[Job]):
    """What one source has waiting in a lane, at most ``share``; none any more if that is 0.

    ``listed``: the lane's thread knows that there is something. ``take_up`` is called with a box that is not.
    """

    __slots__ = ("listed", "senders", "share", "take_up")

    def __init__(self, share: int, take_up: Callable[[Box], None]) -> None:
        super().__init__()
        self.listed = False
        self.share = share
        self.take_up = take_up
        self.senders: list[threading.Event] = []  # those that wait for room

    def wake_senders(self) -> None:
        """Tell all who wait for room to look."""
        while self.senders:
            with contextlib.suppress(IndexError):  # the last one has just stopped to wait
                self.senders.pop().set()


class Run:
    """One thread's time in a lane; ``call`` of ``job`` is under way, ``done`` jobs were the last burst.

    A lane obeys its present run only, so a thread that was written off finds itself alone. A run is also the step
    that its thread is in, so that the trail of a job is made out only when somebody asks.
    """

    __slots__ = ("call", "done", "job", "thread")

    def __init__(self) -> None:
        self.job: Job | None = None
        self.call: Call | None = None
        self.done = 0
        self.thread = 0

    def left(self) -> int:
        """Return how many calls of the job come after the one under way."""
        return 0 if self.job is None else len(self.rest(self.job))

    def rest(self, job: Job) -> Sequence[Call]:
        """Return the calls of *job* that come after the one under way; all if that is still one of the job before."""
        calls = job.calls
        return calls[calls.index(self.call) + 1 :] if self.call in calls else calls

    def its_trail(self) -> Trail:
        """Return the trail of the job, to its own thread: a context that was copied elsewhere is none of it."""
        job = self.job
        return NO_TRAIL if job is None or threading.get_ident() != self.thread else job.its_trail()


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

    def __init__(self, owner: str, hub: Hub, *, share: int, deadline: float, settle: Settle = as_it_is) -> None:
        self.owner = owner
        self.settle = settle
        self.deadline = deadline
        self.boxes: dict[str, Box] = {}
        self.turns: deque[Box] = deque()  # boxes with something in them
        self.run: Run | None = None
        self.handled = 0
        self.refusal: Reason | None = None  # set once the lane takes nothing more
        self._hub = hub
        self._share = share
        self._take_up = partial(hub.admit, self)
        self._low = share * 3 // 4  # who waits for room gets a quarter of it at once: waking threads is dear
        self.box_of(OWN)

    def put(self, source: str, job: Job) -> Reason | None:
        """Add *job* and return ``None``, or why there is no place for it. Never waits.

        Jobs of one source must be put one at a time; the bus puts under the lock that orders messages.
        """
        box = self.boxes.get(source)
        if box is None:
            box = self.box_of(source)
        if len(box) >= box.share:
            return self.refusal or "overflow"
        box.append(job)
        if not box.listed:
            box.take_up(box)
        return None

    def refuse(self, reason: Reason) -> list[Box]:
        """Take nothing more from now on, and return the boxes with what still waits."""
        self.refusal, self._share = reason, 0
        boxes = list(self.boxes.values())
        for box in boxes:
            box.share = 0
            box.listed = False  # so who has just put something comes by ``Hub.admit``
        return boxes

    def has_room(self, source: str) -> bool:
        """Tell whether *source* may put something now; a lane that takes nothing more keeps nobody waiting."""
        box = self.boxes.get(source)
        return box is None or len(box) < box.share or self.refusal is not None

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
                self._clear_away()
            box = self.boxes[source] = Box(self._share, self._take_up)
        return box

    def _clear_away(self) -> None:
        for source, box in list(self.boxes.items()):
            if source != OWN and not (box or box.listed or box.senders):
                box.share = 0  # who has kept it shall ask for another
                del self.boxes[source]

    def depth(self) -> int:
        """Return how many jobs wait."""
        return sum(len(box) for box in list(self.turns))

    def burst(  # noqa: C901, PLR0915  # one stretch on purpose, as its docstring says
        self, run: Run, faults: FaultSink, most: int = BURST
    ) -> bool:
        """Work off up to *most* jobs, counted in ``run.done``; return whether there is more for *run* to do.

        Every message comes by here, and a call for each would cost as much as its handling.
        """
        turns, hub, low = self.turns, self._hub, self._low
        done = 0
        try:
            box = turns[0]
            take, senders = box.popleft, box.senders
            while done < most:
                run.job = job = take()
                if self.run is not run and hub.has_left(self, run):
                    job.lose(hub.letters, self.owner, self.refusal or "gone")
                    return False
                if senders and len(box) <= low:
                    box.wake_senders()
                message = job.message
                try:
                    for run.call in job.calls:
                        call = run.call.call
                        result = call(message)
                        if result is not None:
                            self.settle(result)
                except BaseException as error:  # noqa: BLE001  # a plugin may raise anything, sys.exit() too
                    self._go_on(run, job, error, faults)
                done += 1
                if self.run is not run and hub.has_left(self, run):
                    return False
                if box and len(turns) == 1:
                    continue
                if box:
                    turns.rotate(-1)
                elif not hub.has_more(self, box, run):
                    return False
                box = turns[0]
                take, senders = box.popleft, box.senders
            return True
        except IndexError:  # emptied from outside: the lane was closed
            return False
        finally:
            run.job, run.done = None, done
            self.handled += done

    def _go_on(self, run: Run, job: Job, error: BaseException, faults: FaultSink) -> None:
        """Charge the owner for what a call raised, and make those after it all the same."""
        faults.charge(self.owner, error, where=job.where, message=job.message)
        rest = run.rest(job)
        for run.call in rest:
            try:
                self.settle(run.call.call(job.message))
            except BaseException as another:  # noqa: BLE001  # as above
                faults.charge(self.owner, another, where=job.where, message=job.message)
