"""Lanes that stand still are told of with their stack, and threads that are stuck for too long are strikes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from corehost.messaging.lanes import Lanes
from corehost.messaging.watch import LaneWatch
from tests.messaging.witness import Account, Gate, eventually

Watching = Callable[..., Lanes]


@pytest.fixture
def watching(account: Account) -> Iterator[Watching]:
    """Make lanes that are looked at by a watch of its own, with times of the test's."""
    with ExitStack() as closers:

        def start(**times: float) -> Lanes:
            lanes = Lanes(account)
            closers.callback(lanes.close)
            watch = LaneWatch(lanes, account, strikes=2, **{"deadline": 30.0, **times})
            closers.callback(watch.close)
            lanes.open("a")
            watch.start()
            return lanes

        yield start


def stuck_here(gate: Gate) -> None:
    gate()


def test_a_lane_that_stands_still_is_told_of_once_with_the_place_and_again_when_it_goes_on(
    watching: Watching, account: Account, gate: Gate
) -> None:
    lanes = watching(blocked=0.05)
    lanes.submit("a", lambda: stuck_here(gate))
    gate.await_visitor()
    eventually(lambda: bool(account.blockages))
    looked_again = time.monotonic() + 0.6
    eventually(lambda: time.monotonic() > looked_again)

    [(owner, blockage)] = account.blockages
    assert (owner, blockage.where, account.went_on) == ("a", "timer", [])
    names = set()
    frame = blockage.frame
    while frame is not None:
        names.add(frame.f_code.co_name)
        frame = frame.f_back
    assert {"stuck_here", "_work_off"} <= names

    gate.open()
    eventually(lambda: bool(account.went_on))
    assert account.went_on[0][0] == "a"
    assert account.went_on[0][1] >= 0.05


def test_a_lane_that_gets_on_is_not_blocked(watching: Watching, account: Account) -> None:
    lanes = watching(blocked=0.5)
    until = time.monotonic() + 1.5
    for _ in range(300):
        lanes.submit("a", lambda: time.sleep(0.005) if time.monotonic() < until else None)
    lanes.drain()

    assert account.blockages == []


@pytest.mark.parametrize(("memory", "quarantined"), [(60.0, True), (0.0, False)])
def test_strikes_are_forgotten_after_a_while(
    watching: Watching, account: Account, gate: Gate, memory: float, quarantined: bool
) -> None:
    lanes = watching(deadline=0.1, memory=memory)
    for strikes in (1, 2):
        lanes.submit("a", gate)
        gate.await_visitor()
        eventually(lambda strikes=strikes: len(account.charges) == strikes)  # type: ignore[misc]  # bound
        pause = time.monotonic() + 0.3
        eventually(lambda pause=pause: time.monotonic() > pause)  # type: ignore[misc]  # bound

    assert bool(account.quarantined) is quarantined
