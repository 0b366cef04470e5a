"""A lane whose work was done before it was announced does not go to sleep over the next."""

from __future__ import annotations

from corehost.messaging.lanes import Lanes


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
