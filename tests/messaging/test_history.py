from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from corehost.contract.message import Message
from corehost.messaging.forgotten import Forgotten
from corehost.messaging.history import BLOCK, History


def message(seq: int, source: str = "a", type: str = "t") -> Message:
    return Message(id=str(seq), type=type, source=source, payload=None, timestamp=0, seq=seq)


def fill(history: History, sources: list[str], *, settle_every: int = BLOCK) -> list[Message]:
    messages = [message(seq, source, f"type:{source}") for seq, source in enumerate(sources, start=1)]
    for number, one in enumerate(messages, start=1):
        history.record(one)
        if number % settle_every == 0:
            history.settle()
    return messages


def test_the_newest_are_kept_in_order() -> None:
    history = History(size=100, share=10)
    sent = fill(history, ["a"] * 5_000)
    assert history.messages() == sent[-100:]


def test_ten_thousand_are_kept_and_a_thousand_of_a_source_that_is_flooded() -> None:
    history = History()
    quiet = fill(history, ["quiet"] * 1_500)
    flood = [message(seq, "loud") for seq in range(2_000, 42_000)]
    for one in flood:
        history.record(one)
        if not one.seq % BLOCK:
            history.settle()

    kept = history.messages()

    assert len(kept) == 10_000
    assert [one for one in kept if one.source == "quiet"] == quiet[-1_000:]
    assert [one for one in kept if one.source == "loud"] == flood[-9_000:]


@given(
    sources=st.lists(st.sampled_from("aaaaaabbc"), max_size=150),
    size=st.integers(1, 30),
    share=st.integers(1, 12),
    settle_every=st.integers(1, 40),
)
def test_every_source_keeps_its_share_and_the_rest_is_the_newest(
    sources: list[str], size: int, share: int, settle_every: int
) -> None:
    history = History(size=size, share=share, ceiling=1_000)
    sent = fill(history, sources, settle_every=settle_every)

    kept = history.messages()

    assert kept == sorted(kept, key=lambda one: one.seq)
    for source in set(sources):
        own = [one for one in sent if one.source == source]
        own_kept = [one for one in kept if one.source == source]
        assert own_kept == own[len(own) - len(own_kept) :]
        assert len(own_kept) >= min(share, len(own))
    shares = sum(min(share, count) for count in Counter(sources).values())
    assert len(kept) <= max(size, shares)
    assert len(kept) >= min(size, len(sent))
    gone = [one for one in sent if one not in kept]
    for source in set(sources):
        highest = max((one.seq for one in gone if one.source == source), default=0)
        assert history.forgotten.upto(f"type:{source}".__eq__) == highest


def test_a_crowd_of_sources_cannot_fill_the_memory() -> None:
    history = History(size=100, share=10, ceiling=2_000)
    sent = fill(history, [f"user:{number}" for number in range(5_000)], settle_every=100)

    kept = history.messages()

    assert len(kept) <= 2_000
    assert kept == sent[-len(kept) :]
    assert history.forgotten.upto(None) == sent[-len(kept) - 1].seq


def test_a_cleared_history_remembers_only_how_far_it_went() -> None:
    history = History(size=100, share=10)
    fill(history, ["a"] * 50)

    history.clear(50)

    assert history.messages() == []
    assert history.forgotten.upto(None) == 50


def test_how_far_a_type_was_forgotten_never_goes_back() -> None:
    forgotten = Forgotten()
    forgotten.several({"t": 5})
    forgotten.several({"t": 3, "u": 1})
    assert forgotten.upto("t".__eq__) == 5
    assert forgotten.upto("u".__eq__) == 1
    assert forgotten.upto(None) == 5


def test_types_without_end_are_told_apart_up_to_a_limit() -> None:
    history = History(size=10, share=1)
    for seq in range(1, 12_001):
        history.record(message(seq, type=f"type:{seq}"))
        if not seq % BLOCK:
            history.settle()
    history.messages()
    assert history.forgotten.upto(lambda type: type == "type:11990") == 11_990
    assert history.forgotten.upto(lambda _: False) > 0  # beyond the limit it is only known how far any went
