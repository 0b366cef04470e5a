from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corehost.contract.errors import OverloadedError
from corehost.contract.message import Message
from corehost.messaging.bus import Bus
from corehost.messaging.calls import Calls
from corehost.messaging.cursors import Cursors, Gap
from corehost.messaging.feed import Feed
from corehost.messaging.lanes import Lanes
from corehost.messaging.limits import BusLimits
from tests.messaging.witness import PATIENCE, Account


def message(seq: int, source: str) -> Message:
    return Message(id=str(seq), type="t", source=source, payload=None, timestamp=0, seq=seq)


def test_a_feed_has_all_messages_in_order_whoever_they_are_for(bus: Bus) -> None:
    bus.send("before")
    feed = bus.open_feed(lambda: None)
    bus.subscribe("q", lambda _: "answer", owner="a")
    sent = [bus.send("t"), bus.send("t", target="b")]
    bus.request("q")
    taken = feed.take(2)
    assert taken == sent
    assert [entry.type for entry in feed.take(10) if isinstance(entry, Message)] == ["q"]
    assert feed.take(10) == []

    feed.close()
    bus.send("t")
    assert feed.take(10) == []


def test_the_reader_is_woken_when_there_is_something_after_nothing(bus: Bus) -> None:
    woken: list[int] = []
    feed = bus.open_feed(lambda: woken.append(bus.position()))  # asks the bus: no lock is held
    for _ in range(3):
        bus.send("t")
    assert woken == [1]
    feed.take(2)
    bus.send("t")
    assert woken == [1]
    feed.take(10)
    bus.send("t")
    assert woken == [1, 5]


def test_several_feeds_do_not_disturb_each_other(bus: Bus) -> None:
    first, second = bus.open_feed(lambda: None), bus.open_feed(lambda: None)
    sent = bus.send("t")
    first.close()
    again = bus.send("t")
    assert first.take(10) == []
    assert second.take(10) == [sent, again]


@given(sources=st.lists(st.sampled_from("aaab"), max_size=60), share=st.integers(1, 8), data=st.data())
def test_what_is_over_a_share_leaves_a_gap_in_its_place(sources: list[str], share: int, data: st.DataObject) -> None:
    cursors = Cursors()
    feed = Feed(lambda: None, lambda _: None, threading.RLock(), cursors, share)
    taken: list[Message | Gap] = []
    waiting: dict[str, int] = {"a": 0, "b": 0}
    expected: list[int] = []
    for seq, source in enumerate(sources, start=1):
        if waiting[source] < share:
            waiting[source] += 1
            expected.append(seq)
        feed.offer(message(seq, source))
        if data.draw(st.integers(0, 9)) == 0:
            new = feed.take(data.draw(st.integers(1, 5)))
            taken += new
            for entry in new:
                if isinstance(entry, Message):
                    waiting[entry.source] -= 1
    taken += feed.take(1_000)

    assert [entry.seq for entry in taken if isinstance(entry, Message)] == expected
    covered: list[int] = []
    for entry in taken:
        if isinstance(entry, Message):
            covered.append(entry.seq)
        else:
            start, end = cursors.seq_of(entry.start), cursors.seq_of(entry.end)
            assert start is not None
            assert end is not None
            covered += range(start + 1, end + 1)
    assert covered == list(range(1, len(sources) + 1))  # no hole, no double


def test_a_source_may_have_eight_thousand_in_a_feed_that_nobody_reads(bus: Bus) -> None:
    feed = bus.open_feed(lambda: None)
    for _ in range(8_200):
        bus.send("t", source="a")
    other = bus.send("t", source="b")
    entries = feed.take(10_000)
    assert sum(isinstance(entry, Message) for entry in entries) == 8_193
    assert entries[-2:] == [Gap(start=bus.cursor_of(8_192), end=bus.cursor_of(8_200)), other]


def test_lanes_feed_and_history_have_the_same_order(bus: Bus, restless: None) -> None:
    heard: list[Message] = []
    bus.subscribe("t", heard.append, owner="a")
    feed = bus.open_feed(lambda: None)
    threads = [threading.Thread(target=lambda: [bus.send("t", wait=PATIENCE) for _ in range(300)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    bus.drain()
    sent = bus.get_history(limit=5_000)
    assert [message.seq for message in sent] == list(range(1, 1_201))
    assert feed.take(5_000) == heard == sent


@pytest.fixture
def narrow(lanes: Lanes, account: Account) -> Iterator[Bus]:
    """A bus whose feeds hold two messages of a source."""
    calls = Calls()
    bus = Bus(lanes=lanes, calls=calls, faults=account, limits=BusLimits(feed_share=2))
    yield bus
    bus.close()
    calls.close()


def test_who_waits_for_room_waits_for_that_of_a_feed_too(narrow: Bus) -> None:
    feed = narrow.open_feed(lambda: None)
    narrow.join("a")
    send = narrow.scoped("a").send
    sent = [send("t", wait=PATIENCE) for _ in range(2)]
    third: Future[Message] = Future()
    waiting = threading.Thread(target=lambda: third.set_result(send("t", wait=PATIENCE)))
    waiting.start()
    assert narrow.send("t").seq == 3  # another source has a share of its own
    assert not third.done()
    taken = feed.take(1)
    waiting.join(PATIENCE)
    taken += feed.take(10)
    assert [entry.seq for entry in taken if isinstance(entry, Message)] == [1, 2, 3, 4]
    assert third.result(0).seq == 4
    assert sent[0].seq == 1


def test_a_feed_that_nobody_reads_keeps_a_sender_no_longer_than_it_wants_to_wait(narrow: Bus) -> None:
    narrow.open_feed(lambda: None)
    for _ in range(2):
        narrow.send("t")
    with pytest.raises(OverloadedError, match="relay"):
        narrow.send("t", wait=0.01)
    assert narrow.send("t").seq == 3


def test_a_feed_that_is_closed_keeps_nobody_waiting(narrow: Bus) -> None:
    feed = narrow.open_feed(lambda: None)
    for _ in range(2):
        narrow.send("t")
    done = threading.Event()

    def send() -> None:
        narrow.send("t", wait=PATIENCE)
        done.set()

    threading.Thread(target=send).start()
    feed.close()
    assert done.wait(PATIENCE / 2)
