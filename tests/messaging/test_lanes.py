from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corehost.contract.errors import ConflictError, LateError
from corehost.contract.message import Message
from corehost.messaging.dead import DeadLetters, Reason
from corehost.messaging.lanes import Lanes
from corehost.messaging.trail import NO_TRAIL, Trail, current_trail, entered
from tests.messaging.witness import PATIENCE, Account, Bystanders, Gate, await_end


class Note:
    """A job that writes itself down."""

    where = "note"
    message: Message | None = None

    def __init__(self, book: list[str], text: str) -> None:
        self.calls = (self,)
        self._book = book
        self._text = text

    def call(self, _: object) -> None:
        self._book.append(self._text)

    def rest(self, left: int) -> None:
        return None

    def its_trail(self) -> Trail:
        return NO_TRAIL

    def lose(self, letters: DeadLetters, owner: str, reason: Reason) -> None:
        letters.add(owner, reason, what=self._text)


@pytest.fixture
def quick(account: Account) -> Iterator[Lanes]:
    """Lanes whose threads are written off after a fifth of a second."""
    lanes = Lanes(account, deadline=0.2)
    yield lanes
    lanes.close()


def test_work_of_one_owner_runs_one_at_a_time_and_in_order(lanes: Lanes) -> None:
    lanes.open("a")
    seen: list[int] = []
    inside = threading.Lock()

    def work(number: int) -> None:
        assert inside.acquire(blocking=False), "two at a time"
        seen.append(number)
        inside.release()

    for number in range(500):
        lanes.submit("a", partial(work, number))
    lanes.drain()

    assert seen == list(range(500))
    assert lanes.handled() == {"a": 500}


def test_owners_do_not_wait_for_each_other(lanes: Lanes, gate: Gate) -> None:
    lanes.open("stuck")
    lanes.open("free")
    ran = threading.Event()

    lanes.submit("stuck", gate)
    gate.await_visitor()
    lanes.submit("free", ran.set)

    assert ran.wait(PATIENCE)


def test_work_that_raises_is_charged_and_the_lane_goes_on(lanes: Lanes, account: Account) -> None:
    lanes.open("a")
    ran = threading.Event()
    lanes.submit("a", lambda: 1 / 0, where="timer")
    lanes.submit("a", sys.exit, where="event")
    lanes.submit("a", ran.set)
    lanes.drain()

    assert ran.is_set()
    assert [(charge.owner, type(charge.error), charge.where) for charge in account.charges] == [
        ("a", ZeroDivisionError, "timer"),
        ("a", SystemExit, "event"),
    ]


def test_work_goes_on_with_the_trail_of_whoever_gave_it(lanes: Lanes) -> None:
    lanes.open("a")
    trails: list[Trail] = []
    with entered(Trail(cause="m1", hops=3)):
        lanes.submit("a", lambda: trails.append(current_trail()))
    lanes.submit("a", lambda: trails.append(current_trail()))
    lanes.drain()
    assert trails == [Trail(cause="m1", hops=3), Trail()]


def test_only_the_latest_work_of_a_key_runs(lanes: Lanes, gate: Gate) -> None:
    lanes.open("a")
    seen: list[str] = []
    lanes.submit("a", gate)
    gate.await_visitor()
    for text in ("first", "second", "third"):
        assert lanes.submit("a", partial(seen.append, text), latest="key")
    lanes.submit("a", lambda: seen.append("other"), latest="other key")
    assert lanes.depths() == {"a": 2}

    gate.open()
    lanes.drain()
    lanes.submit("a", lambda: seen.append("fourth"), latest="key")
    lanes.drain()

    assert seen == ["third", "other", "fourth"]


def test_work_without_a_lane_or_without_room_is_refused(account: Account, gate: Gate) -> None:
    lanes = Lanes(account, share=2)
    undo = lanes.open("a")
    lanes.submit("a", gate)
    gate.await_visitor()

    assert [lanes.submit("a", int) for _ in range(3)] == [True, True, False]
    assert lanes.letters.counts() == {("a", "overflow"): 1}
    assert lanes.submit("nobody", int) is False

    undo()
    undo()
    assert lanes.submit("a", int) is False
    assert lanes.letters.counts() == {("a", "overflow"): 1, ("a", "gone"): 2}
    lanes.close()


def test_latest_work_that_was_lost_does_not_keep_its_place(account: Account, gate: Gate) -> None:
    lanes = Lanes(account, share=1)
    lanes.open("a")
    lanes.submit("a", gate)
    gate.await_visitor()
    lanes.submit("a", int)
    assert lanes.submit("a", int, latest="key") is False  # no room

    gate.open()
    lanes.drain()
    ran = threading.Event()
    assert lanes.submit("a", ran.set, latest="key")
    assert ran.wait(PATIENCE)
    lanes.close()


def test_an_owner_has_one_lane_at_a_time(lanes: Lanes) -> None:
    undo = lanes.open("a")
    with pytest.raises(ConflictError, match="lane already"):
        lanes.open("a")
    undo()
    lanes.open("a")
    undo()
    assert lanes.lane("a") is not None  # the old undo does not close the new lane


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(waiting=st.lists(st.sampled_from("xyz"), max_size=60))
def test_sources_take_turns(account: Account, waiting: list[str]) -> None:
    lanes = Lanes(account)
    lanes.open("a")
    gate, seen = Gate(), list[str]()
    lanes.submit("a", gate)
    gate.await_visitor()
    lane = lanes.lane("a")
    assert lane is not None
    for number, source in enumerate(waiting):
        lane.put(source, Note(seen, f"{source}{number}"))
    gate.open()
    lanes.drain()

    queues = {source: [f"{s}{n}" for n, s in enumerate(waiting) if s == source] for source in dict.fromkeys(waiting)}
    in_turns = itertools.chain.from_iterable(itertools.zip_longest(*queues.values()))
    assert seen == [text for text in in_turns if text is not None]
    lanes.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(waiting=st.lists(st.sampled_from("xyz"), max_size=60), share=st.integers(1, 8))
def test_each_source_has_a_share_of_its_own(account: Account, waiting: list[str], share: int) -> None:
    lanes = Lanes(account, share=share)
    lanes.open("a")
    gate, seen = Gate(), list[str]()
    lanes.submit("a", gate)
    gate.await_visitor()
    lane = lanes.lane("a")
    assert lane is not None
    lost = [source for source in waiting if lane.put(source, Note(seen, source)) == "overflow"]
    gate.open()
    lanes.drain()

    for source in "xyz":
        assert seen.count(source) == min(share, waiting.count(source))
        assert lost.count(source) == max(0, waiting.count(source) - share)
    lanes.close()


def test_boxes_of_sources_that_are_gone_are_cleared_away(lanes: Lanes) -> None:
    lanes.open("a")
    lane = lanes.lane("a")
    assert lane is not None
    seen: list[str] = []
    for number in range(1_000):
        lane.put(f"user:{number}", Note(seen, str(number)))
        if not number % 50:
            lanes.drain()
    lanes.drain()
    assert len(seen) == 1_000
    assert len(lane.boxes) <= 200


def test_many_senders_lose_nothing_and_keep_their_order(lanes: Lanes) -> None:
    lanes.open("a")
    lane = lanes.lane("a")
    assert lane is not None
    seen: list[str] = []
    lock = threading.Lock()  # the bus has one

    def send(source: str) -> None:
        for number in range(1_000):
            with lock:
                assert lane.put(source, Note(seen, f"{source}:{number}")) is None

    threads = [threading.Thread(target=send, args=(f"s{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    lanes.drain()

    for number in range(8):
        assert [text for text in seen if text.startswith(f"s{number}:")] == [f"s{number}:{n}" for n in range(1_000)]


def test_a_stuck_thread_is_written_off_and_the_lane_goes_on(quick: Lanes, account: Account, gate: Gate) -> None:
    quick.open("a")
    ran = threading.Event()
    quick.submit("a", gate, where="timer")
    quick.submit("a", ran.set)

    assert ran.wait(PATIENCE)
    assert account.charged.wait(PATIENCE)
    (charge,) = account.charges
    assert (charge.owner, charge.where, type(charge.error)) == ("a", "timer", LateError)
    assert "stuck for over 0.2 s" in str(charge.error)

    gate.open()  # the thread comes back; the lane is not its own any more
    seen: list[int] = []
    for number in range(100):
        quick.submit("a", partial(seen.append, number))
    quick.drain()
    assert seen == list(range(100))
    assert account.quarantined == []


def test_the_third_time_the_owner_is_quarantined(quick: Lanes, account: Account, gate: Gate) -> None:
    quick.open("a")
    ran = threading.Event()
    for _ in range(3):
        quick.submit("a", gate)
    quick.submit("a", ran.set)

    assert account.quarantine_called.wait(PATIENCE)

    (quarantined,) = account.quarantined
    assert quarantined == ("a", "3 of its threads were stuck for over 0.2 s.")
    assert len(account.charges) == 3
    assert quick.submit("a", int) is False
    assert quick.letters.counts() == {("a", "quarantined"): 2}
    assert not ran.is_set()
    quick.drain()  # a lane that stands still keeps nobody waiting


def test_a_thread_that_is_slow_but_gets_on_is_not_written_off(quick: Lanes, account: Account) -> None:
    quick.open("a")
    turns = threading.Semaphore(0)
    waits = threading.Event()
    for _ in range(6):
        quick.submit("a", partial(waits.wait, 0.06))
        quick.submit("a", turns.release)
    for _ in range(6):
        assert turns.acquire(timeout=PATIENCE)
    assert account.charges == []


def test_there_are_no_more_threads_than_lanes_with_work(bystanders: Bystanders, lanes: Lanes) -> None:
    for owner in ("a", "b", "c"):
        lanes.open(owner)
    for _ in range(200):
        for owner in ("a", "b", "c"):
            lanes.submit(owner, int)
        lanes.drain()
    ours = [thread for thread in threading.enumerate() if thread not in bystanders]
    assert sum(thread.name.startswith("corehost-lane-") for thread in ours) <= 3 + 1  # and the watch


def test_all_threads_end_when_the_lanes_close(bystanders: Bystanders, account: Account) -> None:
    lanes = Lanes(account)
    for owner in ("a", "b", "c"):
        lanes.open(owner)
        lanes.submit(owner, int)
    lanes.drain()
    lanes.close()
    await_end("corehost-lane", but=bystanders)
    assert lanes.depths() == {}


def test_the_thread_of_an_owner_that_left_ends(bystanders: Bystanders, lanes: Lanes, gate: Gate) -> None:
    undo = lanes.open("a")
    lanes.submit("a", gate)
    gate.await_visitor()
    lanes.submit("a", int)

    undo()  # does not wait for what is under way
    gate.open()

    await_end("corehost-lane-1", but=bystanders)
    assert lanes.handled() == {}


def test_draining_names_the_lanes_that_are_busy(lanes: Lanes, gate: Gate) -> None:
    for owner in ("a", "b", "c"):
        lanes.open(owner)
    lanes.submit("b", gate)
    gate.await_visitor()
    with pytest.raises(LateError, match="lanes of 'b' still have work"):
        lanes.drain(timeout=0.01)


def test_a_lane_tells_how_long_it_worked(bystanders: Bystanders, lanes: Lanes, account: Account) -> None:
    lanes.open("a")
    lanes.submit("a", int)
    lanes.close()
    await_end("corehost-lane", but=bystanders)
    assert {(owner, what) for owner, what, _ in account.times} == {("a", "handler")}
