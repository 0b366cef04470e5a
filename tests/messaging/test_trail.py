from __future__ import annotations

import contextvars

from corehost.contract.user import UserContext
from corehost.messaging.trail import Trail, current_trail, entered, step_into


def test_where_nothing_led_here_the_trail_is_empty() -> None:
    assert contextvars.Context().run(current_trail) == Trail(cause=None, hops=0, deadline=None, user=None)


def test_an_entered_trail_holds_until_it_is_left() -> None:
    outer, inner = Trail(cause="m1"), Trail(cause="m2")
    with entered(outer):
        with entered(inner):
            assert current_trail() is inner
        assert current_trail() is outer


def test_what_handles_a_message_is_one_hop_further_and_keeps_the_user() -> None:
    user = UserContext(id="ada")
    trail = Trail(cause="m1", hops=4, deadline=5.0, user=user, session="s1")
    assert trail.after("m2") == Trail(cause="m2", hops=5, user=user, session="s1")
    assert trail.after("m2", deadline=3.0).deadline == 3.0


class Step:
    def __init__(self) -> None:
        self.asked = 0

    def its_trail(self) -> Trail:
        self.asked += 1
        return Trail(cause="asked")


def test_a_step_is_asked_for_its_trail_only_when_somebody_wants_it() -> None:
    step = Step()

    def inside() -> None:
        step_into(step)
        assert step.asked == 0
        assert current_trail().cause == "asked"

    contextvars.Context().run(inside)
    assert step.asked == 1
