from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corehost.contract.errors import InvalidError, MalformedError
from corehost.contract.message import Message
from corehost.messaging.bus import Bus
from corehost.messaging.cursors import Cursors, Gap
from corehost.messaging.history import History
from corehost.messaging.replay import Reader


class Stream:
    """A history under a lock, with a reader."""

    def __init__(self, *, size: int = 1_000, share: int = 1) -> None:
        self.newest = 0
        self.history = History(size=size, share=share)
        self.cursors = Cursors()
        self.reader = Reader(self.history, self.cursors, threading.RLock(), lambda: self.newest)

    def add(self, type: str = "t", source: str = "a") -> None:
        self.newest += 1
        self.history.record(
            Message(id=str(self.newest), type=type, source=source, payload=None, timestamp=0, seq=self.newest)
        )

    def seqs(self, pattern: str | None, since: int | None, limit: int, upto: int | None = None) -> list[int]:
        cursor = None if since is None else self.cursors.of(since)
        return [one.seq for one in self.reader.replay(pattern, cursor, limit, upto).messages]


def test_without_a_cursor_the_newest_come_oldest_first() -> None:
    stream = Stream()
    for _ in range(10):
        stream.add()
    assert stream.seqs(None, None, 3) == [8, 9, 10]
    assert stream.seqs(None, None, 0) == []
    assert stream.seqs(None, None, 3, upto=5) == [3, 4, 5]


def test_after_a_cursor_the_oldest_come_first_and_the_next_cursor_goes_on() -> None:
    stream = Stream()
    for _ in range(10):
        stream.add()
    replay = stream.reader.replay(None, stream.cursors.of(4), 3)
    assert [one.seq for one in replay.messages] == [5, 6, 7]
    assert replay.cursor == stream.cursors.of(7)
    assert replay.gap is None


@given(
    types=st.lists(st.sampled_from(["a:1", "a:2", "b:1"]), max_size=40),
    pattern=st.sampled_from([None, "*", "a:*", "b:1", "c:*"]),
    since=st.integers(0, 40),
    limit=st.integers(1, 7),
    more=st.integers(0, 3),
)
def test_page_by_page_nothing_is_missed_and_nothing_comes_twice(
    types: list[str], pattern: str | None, since: int, limit: int, more: int
) -> None:
    stream = Stream()
    for type in types:
        stream.add(type)
    since = min(since, stream.newest)
    seen: list[Message] = []
    cursor, grown = stream.cursors.of(since), 0
    while True:
        replay = stream.reader.replay(pattern, cursor, limit)
        assert replay.gap is None
        seen += replay.messages
        cursor = replay.cursor
        if grown < more:  # messages keep coming while somebody reads
            stream.add("a:1")
            grown += 1
        elif len(replay.messages) < limit:
            break

    everything = [one for one in stream.history.messages() if one.seq > since]
    prefix = "" if pattern in (None, "*") else pattern.rstrip("*") if pattern else ""
    assert seen == [one for one in everything if one.type.startswith(prefix)]


def test_what_was_forgotten_after_the_cursor_is_a_gap() -> None:
    stream = Stream(size=10)
    for _ in range(30):
        stream.add()
    replay = stream.reader.replay(None, stream.cursors.of(5), 100)
    assert replay.gap == Gap(start=stream.cursors.of(5), end=stream.cursors.of(20))
    assert [one.seq for one in replay.messages] == list(range(21, 31))
    assert stream.reader.replay(None, stream.cursors.of(20), 100).gap is None


def test_what_was_forgotten_of_other_types_is_no_gap() -> None:
    stream = Stream(size=10, share=2)
    stream.add("quiet:1", source="quiet")
    for _ in range(30):
        stream.add("loud:1", source="loud")
    quiet = stream.reader.replay("quiet:*", stream.cursors.of(0), 100)
    assert [one.seq for one in quiet.messages] == [1]
    assert quiet.gap is None
    assert stream.reader.replay("loud:*", stream.cursors.of(0), 100).gap is not None


def test_a_cleared_history_is_a_gap() -> None:
    stream = Stream()
    for _ in range(5):
        stream.add()
    stream.history.clear(5)
    stream.add()
    replay = stream.reader.replay("nobody:*", stream.cursors.of(2), 100)
    assert replay.gap == Gap(start=stream.cursors.of(2), end=stream.cursors.of(5))


def test_a_cursor_of_another_run_gets_a_gap_and_all_there_is() -> None:
    stream = Stream()
    for _ in range(3):
        stream.add()
    other = Cursors().of(2)
    replay = stream.reader.replay(None, other, 100)
    assert replay.gap == Gap(start=other, end=stream.cursors.of(0))
    assert [one.seq for one in replay.messages] == [1, 2, 3]


@pytest.mark.parametrize("since", ["", "nonsense", "abc.", "abc.-1", ".5", "abc.1.2", "abc.٣", "a" * 100 + ".1", 5])
def test_a_text_that_is_no_cursor_is_malformed(since: str) -> None:
    with pytest.raises(MalformedError, match="is no cursor"):
        Stream().reader.replay(None, since, 10)


def test_a_cursor_ahead_of_every_message_is_malformed() -> None:
    stream = Stream()
    stream.add()
    with pytest.raises(MalformedError, match="ahead"):
        stream.reader.replay(None, stream.cursors.of(2), 10)


@pytest.mark.parametrize("limit", [-1, True, 1.5, "3"])
def test_a_limit_must_be_a_number_of_messages(limit: int) -> None:
    with pytest.raises(InvalidError, match="limit"):
        Stream().reader.replay(None, None, limit)
    with pytest.raises(InvalidError, match="limit"):
        Stream().reader.latest(None, limit)


def test_the_bus_reads_its_history_by_pattern_and_by_cursor(bus: Bus) -> None:
    cursor = bus.cursor()
    first, other, last = (bus.send(type) for type in ("clock:tick", "other:tick", "clock:tock"))

    assert bus.get_history("clock:*") == [first, last]
    assert bus.get_history(limit=2) == [other, last]
    assert bus.replay("clock:*", cursor, 100).messages == [first, last]
    assert bus.replay("clock:*", cursor, 100, upto=other.seq).messages == [first]
    assert bus.replay(None, bus.cursor_of(first.seq), 100).messages == [other, last]
    assert bus.seq_of(bus.cursor()) == bus.position() == last.seq
    assert bus.cursor().startswith(f"{bus.epoch}.")
    with pytest.raises(MalformedError):
        bus.seq_of(Cursors().of(1))

    bus.clear_history()

    assert bus.get_history() == []


def test_the_bus_keeps_a_thousand_messages_of_a_quiet_source(bus: Bus) -> None:
    quiet = [bus.send("quiet:1", number, source="a") for number in range(1_000)]
    for number in range(12_000):
        bus.send("loud:1", number, source="b")

    assert bus.get_history("quiet:1", limit=5_000) == quiet
    assert len(bus.get_history(limit=50_000)) == 10_000


def test_a_plugin_reads_only_what_it_might_have_heard(bus: Bus) -> None:
    to_all = bus.send("t", source="a")
    to_b = bus.send("t", source="a", target="b")
    bus.send("t", source="a", target="c")
    by_b = bus.send("t", source="b", target="c")

    assert bus.scoped("b").get_history() == [to_all, to_b, by_b]


def test_who_reads_while_messages_pour_in_reads_each_once(bus: Bus, restless: None) -> None:
    def pour(source: str) -> None:
        for _ in range(1_500):
            bus.send("t", source=source)

    start = bus.position()
    cursor, read = bus.cursor(), list[int]()
    sources = [threading.Thread(target=pour, args=(source,)) for source in "abc"]
    for thread in sources:
        thread.start()
    is_all = False
    while not is_all:
        is_all = not any(thread.is_alive() for thread in sources)  # asked first: what comes after is read once more
        replay = bus.replay("t", cursor, 10_000)
        assert replay.gap is None
        read += [message.seq for message in replay.messages]
        cursor = replay.cursor

    assert read == list(range(start + 1, start + 4_501))
