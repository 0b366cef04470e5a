from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from corehost.contract.errors import OverloadedError
from corehost.contract.message import Message
from corehost.messaging.bus import Bus
from corehost.messaging.calls import Calls
from corehost.messaging.dead import DeadLetter, DeadLetters, Notice
from corehost.messaging.lanes import Lanes
from tests.messaging.witness import PATIENCE, Account, Gate, ignore


@pytest.fixture
def narrow(account: Account) -> Iterator[Bus]:
    """A bus whose lanes hold three messages of each source."""
    lanes, calls = Lanes(account, share=3), Calls()
    bus = Bus(lanes=lanes, calls=calls, faults=account)
    for owner in "abc":
        bus.join(owner)
    yield bus
    bus.close()
    calls.close()
    lanes.close()


def hold_up(bus: Bus, gate: Gate, owner: str = "a") -> None:
    bus.subscribe("hold", gate, owner=owner)
    bus.send("hold", target=owner)
    gate.await_visitor()


def test_a_flood_loses_only_messages_of_its_own_source(narrow: Bus, gate: Gate) -> None:
    heard: list[Message] = []
    narrow.subscribe("t", heard.append, owner="a")
    hold_up(narrow, gate)
    flood = [narrow.send("t", source="b") for _ in range(10)]
    calm = [narrow.send("t", source="c") for _ in range(3)]
    gate.open()
    narrow.drain()

    assert [message for message in heard if message.source == "b"] == flood[:3]
    assert [message for message in heard if message.source == "c"] == calm
    letters = narrow.dead_letters()
    assert letters.counts() == {("a", "overflow"): 7}
    assert len(letters) == 7
    assert [letter.message for letter in letters.newest()] == flood[3:]
    assert {(letter.owner, letter.reason, letter.what) for letter in letters.newest()} == {("a", "overflow", "t")}


def test_a_thousand_and_twenty_four_of_a_source_may_wait(bus: Bus, gate: Gate) -> None:
    bus.subscribe("t", ignore, owner="a")
    hold_up(bus, gate)
    for _ in range(1_030):
        bus.send("t", source="b")
    assert bus.dead_letters().counts() == {("a", "overflow"): 6}


def test_another_receiver_still_gets_what_one_had_no_room_for(narrow: Bus, gate: Gate) -> None:
    heard: list[Message] = []
    all_came = threading.Event()

    def hear(message: Message) -> None:
        heard.append(message)
        if len(heard) == 5:
            all_came.set()

    narrow.subscribe("t", ignore, owner="a")
    narrow.subscribe("t", hear, owner="b")
    hold_up(narrow, gate)
    sent = [narrow.send("t", source=f"user:{number % 2}") for number in range(5)]  # b has a thread, and room
    assert all_came.wait(PATIENCE)
    assert sorted(heard, key=lambda message: message.seq) == sent


def test_what_is_lost_is_told_on_the_bus_at_most_once_a_second(narrow: Bus, gate: Gate) -> None:
    notices: list[Message] = []
    told_again = threading.Event()

    def hear(message: Message) -> None:
        notices.append(message)
        if len(notices) == 2:
            told_again.set()

    narrow.subscribe("core:dead-letter", hear, owner="c")
    narrow.subscribe("t", ignore, owner="a")
    hold_up(narrow, gate)
    sent = [narrow.send("t", source="b") for _ in range(10)]

    assert told_again.wait(PATIENCE)  # the rest is told when the second is over, without anybody sending
    first, second = notices
    assert first.payload == {"owner": "a", "reason": "overflow", "count": 1, "last": "t"}
    assert first.cause == sent[3].id
    assert second.payload == {"owner": "a", "reason": "overflow", "count": 6, "last": "t"}
    assert second.timestamp - first.timestamp >= 900


def test_a_lost_notice_is_counted_and_not_told(narrow: Bus, gate: Gate) -> None:
    narrow.subscribe("core:dead-letter", ignore, owner="a")
    narrow.subscribe("t", ignore, owner="a")
    hold_up(narrow, gate)
    for _ in range(4):
        narrow.send("core:dead-letter")
    assert narrow.dead_letters().counts() == {("a", "overflow"): 1}
    assert len(narrow.get_history("core:dead-letter")) == 4


def test_the_newest_are_kept_and_all_are_counted() -> None:
    letters = DeadLetters(kept=5)
    for number in range(8):
        letters.add("a", "gone", what=str(number))
    assert [letter.what for letter in letters.newest()] == ["3", "4", "5", "6", "7"]
    assert letters.counts() == {("a", "gone"): 8}


def test_listeners_are_told_of_each_letter_and_of_owners_in_turn() -> None:
    letters = DeadLetters(pause=1_000)
    heard: list[DeadLetter] = []
    notices: list[Notice] = []
    letters.listen(heard.append, notices.append)
    for owner in ("a", "a", "b"):
        letters.add(owner, "overflow", what="t")
    letters.flush()
    letters.add("a", "overflow", what="u")
    letters.flush()
    assert [letter.what for letter in heard] == ["t", "t", "t", "u"]
    assert [(notice.letter.owner, notice.count) for notice in notices] == [("a", 2), ("b", 1)]


# --- waiting for room ---


def test_who_waits_gets_its_place_when_there_is_one(narrow: Bus, gate: Gate) -> None:
    heard: list[int] = []
    narrow.subscribe("t", lambda m: heard.append(m.payload), owner="a")
    hold_up(narrow, gate)
    for number in range(3):
        narrow.send("t", number, source="b")
    sender = threading.Thread(target=narrow.send, args=("t", 3), kwargs={"source": "b", "wait": PATIENCE})
    sender.start()
    gate.open()
    sender.join(PATIENCE)
    narrow.drain()
    assert heard == [0, 1, 2, 3]
    assert len(narrow.dead_letters()) == 0


def test_who_waited_in_vain_gets_an_error_and_nothing_was_published(narrow: Bus, gate: Gate) -> None:
    heard: list[Message] = []
    narrow.subscribe("t", ignore, owner="a")
    narrow.subscribe("t", heard.append, owner="c")
    hold_up(narrow, gate)
    for _ in range(3):
        narrow.send("t", source="b")
    position = narrow.position()

    with pytest.raises(OverloadedError, match="'a' has no room for more of 'b'"):
        narrow.send("t", source="b", wait=0.01)
    with pytest.raises(OverloadedError):
        narrow.send("t", source="b", wait=0)

    assert narrow.position() == position
    assert len(narrow.dead_letters()) == 0
    narrow.send("t", source="c", wait=0)  # another source has room


def test_many_who_wait_all_get_through(narrow: Bus) -> None:
    heard: list[int] = []
    narrow.subscribe("t", lambda m: heard.append(m.payload), owner="a")

    def send(first: int) -> None:
        for number in range(first, first + 300):
            narrow.send("t", number, source="b", wait=PATIENCE)

    senders = [threading.Thread(target=send, args=(first,)) for first in range(0, 1_200, 300)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(30)
    narrow.drain()
    assert sorted(heard) == list(range(1_200))
    assert len(narrow.dead_letters()) == 0


def test_who_waits_for_a_plugin_that_leaves_is_let_go(narrow: Bus, gate: Gate) -> None:
    leave = narrow.join("guest")
    narrow.subscribe("t", ignore, owner="guest")
    hold_up(narrow, gate, owner="guest")
    for _ in range(3):
        narrow.send("t", source="b")
    done = threading.Event()

    def send() -> None:
        narrow.send("t", source="b", wait=PATIENCE)
        done.set()

    threading.Thread(target=send, daemon=True).start()
    leave()
    assert done.wait(PATIENCE)
    assert narrow.dead_letters().counts()[("guest", "gone")] in (3, 4)  # it may have come after the plugin left


def test_who_waits_gets_the_little_room_that_a_slow_lane_makes(account: Account) -> None:
    lanes, calls, first, second = Lanes(account, share=8), Calls(), Gate(), Gate()
    bus = Bus(lanes=lanes, calls=calls, faults=account)
    bus.subscribe("t", lambda m: second() if m.payload else first())
    for number in range(9):  # one under way as soon as it has come, eight behind it
        bus.send("t", number)
        if number == 0:
            first.await_visitor()

    sender = threading.Thread(target=bus.send, args=("t", 9), kwargs={"wait": 10 * PATIENCE})
    sender.start()
    first.open()
    second.await_visitor()
    sender.join(PATIENCE)

    assert not sender.is_alive()
    second.open()
    bus.drain()
    for part in (bus, calls, lanes):
        part.close()


def test_no_two_messages_have_one_id_whichever_way_they_were_sent(narrow: Bus) -> None:
    sent = [narrow.send("t", target=target).id for target in (None, "a", None, "a", None)]
    assert len(set(sent)) == len(sent)
