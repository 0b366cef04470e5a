from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from corehost.contract.message import Handler, MessageSchema
from corehost.contract.schema import ANY_JSON
from corehost.messaging.lane import Lane
from corehost.messaging.lanes import Lanes
from corehost.messaging.patterns import Pattern
from corehost.messaging.plan import Plans
from corehost.messaging.subscription import Subscription
from tests.messaging.witness import ignore


def subscription(lanes: Lanes, pattern: str, owner: str = "a", order: tuple[int, int, int] = (0, 0, 0)) -> Subscription:
    lane = lanes.lane(owner) or opened(lanes, owner)
    return Subscription(
        Pattern(pattern), Handler(handle=ignore), lane=lane, sources=None, order=order, may_know_user=lambda _: False
    )


def opened(lanes: Lanes, owner: str) -> Lane:
    lanes.open(owner)
    lane = lanes.lane(owner)
    assert lane is not None
    return lane


def test_a_plan_is_kept_until_a_subscription_that_matches_comes_or_goes(lanes: Lanes) -> None:
    plans = Plans()
    changes: list[Callable[[], object]] = []
    for pattern in ("t", "t*"):
        one = subscription(lanes, pattern)
        changes += [partial(plans.subscriptions.add, one), partial(plans.subscriptions.remove, one)]
    for change in changes:
        plan, other = plans.of("t"), plans.of("other")
        assert plans.of("t") is plan
        change()
        assert plans.of("t") is not plan
        assert plans.of("other") is other


def test_a_plan_is_made_anew_when_a_schema_comes_or_goes() -> None:
    plans = Plans()
    assert plans.of("t").check is ANY_JSON
    undo = plans.schemas.declare(MessageSchema(type="t", payload={}), owner="a")
    assert plans.of("t").check is not ANY_JSON
    undo()
    assert plans.of("t").check is ANY_JSON


def test_no_more_plans_are_kept_than_may() -> None:
    plans = Plans(limit=10)
    for number in range(1_000):
        plans.of(f"type:{number}")
    assert len(plans.kept) <= 10


def test_a_plan_lists_subscriptions_in_order_and_by_lane(lanes: Lanes) -> None:
    plans = Plans()
    third = subscription(lanes, "t", "a", (0, 2, 0))
    first = subscription(lanes, "*", "b", (-5, 9, 1))
    second = subscription(lanes, "t", "a", (0, 1, 7))
    for one in (third, first, second):
        plans.subscriptions.add(one)

    plan = plans.of("t")

    assert plan.subscriptions == (first, second, third)
    assert [(lane.owner, heard) for lane, heard in plan.routes] == [("b", (first,)), ("a", (second, third))]


def test_no_signal_outlives_its_last_subscription(lanes: Lanes) -> None:
    plans = Plans()
    undos = [plans.subscriptions.add(subscription(lanes, pattern)) for pattern in ("t", "t", "t*", "*")]
    assert plans.subscriptions.patterns() == {"t", "t*", "*"}
    for undo in undos:
        undo()
    assert plans.subscriptions.patterns() == set()


def test_no_outdated_plan_stays_when_subscriptions_and_plans_race(lanes: Lanes) -> None:
    plans = Plans()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            plans.of("t")

    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(300):
            one = subscription(lanes, "t")
            undo = plans.subscriptions.add(one)
            assert plans.of("t").subscriptions == (one,)
            undo()
            assert plans.of("t").subscriptions == ()
    finally:
        stop.set()
        looker.join()
