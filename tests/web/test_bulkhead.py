from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from corehost.contract.errors import BusyError
from corehost.web.bulkhead import Bulkhead


def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came true"
        threading.Event().wait(0.002)


def test_at_most_half_of_the_threads_are_inside_one_plugin() -> None:
    bulkhead = Bulkhead(4, stuck=0.02)
    bulkhead.enter("slow")
    bulkhead.enter("slow")

    with pytest.raises(BusyError, match="'slow' is busy"):
        bulkhead.enter("slow")

    bulkhead.enter("other")
    assert bulkhead.inside() == {"slow": 2, "other": 1}


def test_one_thread_never_is_inside_any() -> None:
    bulkhead = Bulkhead(4, stuck=0.02)
    for owner in ("a", "a", "b"):
        bulkhead.enter(owner)

    with pytest.raises(BusyError):
        bulkhead.enter("c")


def test_a_stuck_plugin_turns_visitors_away_after_a_moment() -> None:
    bulkhead = Bulkhead(2, stuck=0.1)
    bulkhead.enter("slow")
    began = time.monotonic()

    with pytest.raises(BusyError):
        bulkhead.enter("slow")

    assert 0.09 < time.monotonic() - began < 10.0
    assert bulkhead.waiting() == 0


def test_a_plugin_that_was_just_at_work_is_waited_for_longer() -> None:
    bulkhead = Bulkhead(2, stuck=0.1)
    bulkhead.enter("clock")()
    bulkhead.enter("clock")
    began = time.monotonic()

    with pytest.raises(BusyError):
        bulkhead.enter("clock")

    assert time.monotonic() - began > 0.7


def test_a_crowd_that_comes_to_an_idle_plugin_has_time_for_its_slow_first_visit() -> None:
    bulkhead = Bulkhead(2, stuck=0.5)
    leave = bulkhead.enter("clock")
    threading.Timer(0.8, leave).start()  # longer than a stuck plugin is waited for

    with bulkhead.entered("clock"):
        assert bulkhead.inside() == {"clock": 1}


def test_who_waits_gets_the_next_free_place() -> None:
    bulkhead = Bulkhead(2, stuck=5.0)
    leave = bulkhead.enter("clock")
    entered = threading.Event()

    def visit() -> None:
        bulkhead.enter("clock")
        entered.set()

    threading.Thread(target=visit, daemon=True).start()
    eventually(lambda: bulkhead.waiting() == 1)

    leave()

    assert entered.wait(5.0)
    assert bulkhead.inside() == {"clock": 1}


def test_a_plugin_that_serves_at_its_pace_keeps_its_queue() -> None:
    bulkhead = Bulkhead(2, stuck=0.2)
    outcomes: list[str] = []

    def visit() -> None:
        try:
            with bulkhead.entered("busy"):
                threading.Event().wait(0.05)
            outcomes.append("served")
        except BusyError:
            outcomes.append("refused")

    visitors = [threading.Thread(target=visit) for _ in range(12)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join(10.0)

    # Twelve visits of 50 ms, one at a time, take far longer than 0.2 s.
    assert outcomes == ["served"] * 12


def test_a_full_waiting_room_refuses_at_once() -> None:
    bulkhead = Bulkhead(2, stuck=30.0, waiting_room=0)
    bulkhead.enter("slow")
    began = time.monotonic()

    with pytest.raises(BusyError):
        bulkhead.enter("slow")

    assert time.monotonic() - began < 10.0


def test_leaving_twice_frees_one_place() -> None:
    bulkhead = Bulkhead(4, stuck=0.02)
    leave = bulkhead.enter("a")
    bulkhead.enter("a")

    leave()
    leave()

    assert bulkhead.inside() == {"a": 1}


def test_a_waiter_of_a_full_plugin_does_not_keep_others_out() -> None:
    bulkhead = Bulkhead(4, stuck=5.0)
    bulkhead.enter("slow")
    leave = bulkhead.enter("slow")

    def leaving() -> None:
        with bulkhead.entered("slow"):
            pass

    waiter = threading.Thread(target=leaving, daemon=True)
    waiter.start()
    eventually(lambda: bulkhead.waiting() == 1)

    with bulkhead.entered("other"):
        assert bulkhead.inside()["other"] == 1

    leave()
    waiter.join(5.0)
