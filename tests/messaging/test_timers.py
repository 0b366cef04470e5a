from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from corehost.contract.errors import InvalidError
from corehost.messaging.timers import Timers
from tests.messaging.witness import PATIENCE, await_end


@pytest.fixture
def timers() -> Iterator[Timers]:
    timers = Timers("test-timers")
    yield timers
    timers.close()
    await_end("test-timers")


def test_what_is_due_is_called_in_the_order_of_time(timers: Timers) -> None:
    seen: list[str] = []
    done = threading.Event()
    timers.later(0.6, done.set)
    timers.later(0.4, lambda: seen.append("second"))
    timers.later(0.2, lambda: seen.append("first"))
    assert done.wait(PATIENCE)
    assert seen == ["first", "second"]


def test_nothing_is_called_before_its_time(timers: Timers) -> None:
    called = threading.Event()
    began = time.monotonic()
    timers.later(0.05, called.set)
    assert called.wait(PATIENCE)
    assert time.monotonic() - began >= 0.05


def test_every_comes_again_until_it_is_undone(timers: Timers) -> None:
    turns = threading.Semaphore(0)
    undo = timers.every(0.005, turns.release)
    for _ in range(5):
        assert turns.acquire(timeout=PATIENCE)

    undo()
    undo()

    last = threading.Event()
    while turns.acquire(blocking=False):  # one may have been under way
        continue
    timers.later(0.03, last.set)
    assert last.wait(PATIENCE)
    assert not turns.acquire(blocking=False)


def test_turns_that_were_missed_are_not_made_up_for(timers: Timers) -> None:
    turns: list[float] = []
    slow, done = threading.Event(), threading.Event()

    def turn() -> None:
        turns.append(time.monotonic())
        if len(turns) == 1:
            slow.wait(0.1)  # ten turns go by
        if len(turns) == 3:
            done.set()

    undo = timers.every(0.01, turn)
    assert done.wait(PATIENCE)
    undo()
    assert turns[2] - turns[0] > 0.109  # the third a whole period after the second; made up for, both come at once


def test_a_timer_undone_in_time_is_never_called(timers: Timers) -> None:
    seen: list[str] = []
    done = threading.Event()
    undo = timers.later(0.01, lambda: seen.append("undone"))
    undo()
    timers.later(0.03, done.set)
    assert done.wait(PATIENCE)
    assert seen == []


def test_timers_that_are_undone_by_the_thousand_are_forgotten(timers: Timers) -> None:
    done = threading.Event()
    for _ in range(5_000):
        timers.later(1_000, int)()
    timers.later(0.01, done.set)
    assert done.wait(PATIENCE)
    assert timers.waiting() < 600


def test_a_timer_that_is_undone_holds_on_to_nothing(timers: Timers) -> None:
    class Work:
        def __call__(self) -> None: ...

    work = Work()
    alive = weakref.ref(work)
    timers.later(3600, work)()
    del work

    assert alive() is None


def test_one_that_fails_does_not_stop_the_others(timers: Timers) -> None:
    done = threading.Event()
    timers.later(0.0, lambda: 1 / 0)
    timers.later(0.01, done.set)
    assert done.wait(PATIENCE)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_period_must_be_longer_than_nothing(timers: Timers, seconds: float) -> None:
    with pytest.raises(InvalidError, match="more than 0"):
        timers.every(seconds, int)


def test_after_closing_nothing_is_called() -> None:
    timers = Timers("test-closed")
    seen: list[str] = []
    timers.later(0.01, lambda: seen.append("late"))
    timers.close()
    timers.later(0.0, lambda: seen.append("later"))()
    await_end("test-closed")
    assert seen == []
