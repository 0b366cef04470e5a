"""Moments in which a lane and those who give it work or a thread see different things."""

from __future__ import annotations

import pytest

from corehost.messaging.dead import DeadLetters
from corehost.messaging.lane import OWN, Box, Lane, Run
from corehost.messaging.lanes import Lanes
from corehost.messaging.trail import NO_TRAIL
from corehost.messaging.work import Work
from tests.messaging.witness import Account, Gate


def test_a_box_that_was_emptied_before_it_is_admitted_does_not_stop_the_lane(lanes: Lanes) -> None:
    """A thread that looks at a box once more may do the job that somebody is just about to announce."""
    lanes.open("clock")
    done: list[int] = []
    lane = lanes.lane("clock")
    assert lane is not None

    lanes.admit(lane, lane.box_of("dashboard"))
    lanes.submit("clock", lambda: done.append(1))
    lanes.drain()

    assert done == [1]


class Watched:
    """A hub that takes a lane away for a moment and gives it back, as a watch does that finds it was mistaken."""

    def __init__(self) -> None:
        self.letters = DeadLetters()
        self.given_back: Run | None = None

    def admit(self, lane: Lane, box: Box) -> None:
        lane.turns.append(box)

    def has_more(self, lane: Lane, box: Box, run: Run) -> bool:
        return False

    def has_left(self, lane: Lane, run: Run) -> bool:
        lane.run = self.given_back
        return lane.run is not run


@pytest.mark.parametrize("is_given_back", [True, False])
def test_a_thread_whose_lane_is_taken_away_for_a_moment_keeps_its_work(is_given_back: bool, account: Account) -> None:
    hub, mine, other = Watched(), Run(), Run()
    hub.given_back = mine if is_given_back else other
    lane = Lane("a", hub, share=10, deadline=30)
    ran: list[str] = []
    lane.put("b", Work("a", lambda: ran.append("work"), "timer", NO_TRAIL, account))
    lane.run = other

    lane.burst(mine, account)

    assert ran == (["work"] if is_given_back else [])
    assert len(hub.letters) == (0 if is_given_back else 1)


def test_who_begins_to_wait_when_there_is_room_again_is_told_at_once(lanes: Lanes) -> None:
    lanes.open("a")
    lane = lanes.lane("a")
    assert lane is not None
    assert lane.await_room("b").is_set()


def test_a_box_that_got_something_while_it_was_struck_off_stays_listed(lanes: Lanes, gate: Gate) -> None:
    lanes.open("a")
    lanes.submit("a", gate)
    gate.await_visitor()
    lane, ran = lanes.lane("a"), list[str]()
    assert lane is not None
    assert lane.run is not None
    lanes.submit("a", lambda: ran.append("work"))

    assert lanes.has_more(lane, lane.box_of(OWN), lane.run)

    gate.open()
    lanes.drain()
    assert ran == ["work"]


def test_a_thread_that_got_on_while_it_was_looked_at_is_not_written_off(lanes: Lanes, gate: Gate) -> None:
    lanes.open("a")
    lanes.submit("a", gate)
    gate.await_visitor()
    lane, ran = lanes.lane("a"), list[str]()
    assert lane is not None
    run = lane.run
    assert run is not None
    earlier = Work("a", int, "timer", NO_TRAIL, Account())

    assert not lanes.write_off(lane, earlier, 0, is_last=False)
    assert run.job is not None
    assert not lanes.write_off(lane, run.job, 1, is_last=True)

    assert lane.run is run
    gate.open()
    lanes.submit("a", lambda: ran.append("work"))
    lanes.drain()
    assert ran == ["work"]


def test_what_is_put_into_a_lane_that_is_just_closing_is_lost_and_not_forgotten(lanes: Lanes) -> None:
    close = lanes.open("a")
    lane = lanes.lane("a")
    assert lane is not None
    box = lane.box_of("b")
    close()
    box.append(Work("a", int, "timer", NO_TRAIL, Account()))
    lanes.admit(lane, box)
    assert lanes.letters.counts() == {("a", "gone"): 1}
    assert lane.run is None
