from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from corehost.contract.errors import ConflictError, DisabledError, InvalidError, LateError
from corehost.contract.message import Handler, HandlerContext, Message
from corehost.contract.user import UserContext
from corehost.messaging.bus import Bus
from corehost.messaging.calls import Calls
from corehost.messaging.lanes import Lanes
from corehost.messaging.limits import BusLimits
from corehost.messaging.threads import KEEP
from corehost.messaging.trail import Trail, current_trail, entered
from tests.messaging.witness import PATIENCE, Account, Gate, eventually, ignore


@pytest.fixture
def impatient(account: Account) -> Iterator[Bus]:
    """A bus whose handlers may take a fifth of a second."""
    lanes, calls = Lanes(account, deadline=0.2), Calls()
    bus = Bus(lanes=lanes, calls=calls, faults=account)
    for owner in "abc":
        bus.join(owner)
    yield bus
    bus.close()
    calls.close()
    lanes.close()


# --- what is sent ---


def test_a_message_bears_the_stamp_of_the_host(bus: Bus) -> None:
    before = time.time() * 1_000 - 1
    first = bus.send("clock:tick", {"n": 1}, source="a", meta={"trace": True})
    second = bus.scoped("b").send("clock:tick")

    assert (first.type, first.source, first.payload, first.meta) == ("clock:tick", "a", {"n": 1}, {"trace": True})
    assert before <= first.timestamp <= time.time() * 1_000
    assert (second.source, second.payload, second.target, second.cause) == ("b", None, None, None)
    assert second.seq == first.seq + 1
    assert first.id != second.id
    assert first.correlation_id is None


def test_ids_of_two_hosts_differ(bus: Bus, account: Account) -> None:
    lanes, calls = Lanes(account), Calls()
    other = Bus(lanes=lanes, calls=calls, faults=account)
    assert other.send("t").id != bus.send("t").id
    assert other.epoch != bus.epoch
    other.close()
    lanes.close()


@pytest.mark.parametrize("type", ["", "a b", "x" * 201, "clock:*", None, 5, ["clock:tick"]])
def test_what_can_be_no_type_is_refused(bus: Bus, type: str) -> None:
    with pytest.raises(InvalidError):
        bus.send(type)


@pytest.mark.parametrize("payload", [{1: 2}, object(), float("nan"), {"a": {"b": {1, 2}}}, b"bytes"])
def test_a_payload_must_be_json(bus: Bus, payload: object) -> None:
    with pytest.raises(InvalidError, match="payload of 'clock:tick' is not valid"):
        bus.send("clock:tick", payload)
    assert bus.get_history() == []


@pytest.mark.parametrize("meta", [{"a": object()}, {1: 2}, ["list"]])
def test_meta_must_be_an_object_of_json(bus: Bus, meta: dict[str, object]) -> None:
    with pytest.raises(InvalidError, match="meta of 'clock:tick'"):
        bus.send("clock:tick", meta=meta)


# --- who hears it ---


def test_exact_and_wildcard_subscriptions_hear_it(bus: Bus) -> None:
    heard: list[str] = []
    for pattern in ("clock:tick", "clock:*", "*", "*tick", "clock:tock", "other:*"):
        bus.subscribe(pattern, lambda _, pattern=pattern: heard.append(pattern), owner="a")
    bus.send("clock:tick")
    bus.drain()
    assert sorted(heard) == sorted(["clock:tick", "clock:*", "*", "*tick"])


def test_a_subscription_that_comes_or_goes_counts_from_then_on(bus: Bus) -> None:
    heard: list[Message] = []
    bus.send("clock:tick")
    undo_exact = bus.subscribe("clock:tick", heard.append, owner="a")
    first = bus.send("clock:tick")
    undo_wildcard = bus.subscribe("clock:*", heard.append, owner="b")
    second = bus.send("clock:tick")
    bus.drain()
    undo_exact()
    undo_exact()
    undo_wildcard()
    bus.send("clock:tick")
    bus.drain()

    assert [message.seq for message in sorted(heard, key=lambda m: m.seq)] == [first.seq, second.seq, second.seq]
    assert bus.count() == 0


def test_one_function_may_be_subscribed_twice(bus: Bus) -> None:
    heard: list[Message] = []
    undo = bus.subscribe("t", heard.append, owner="a")
    bus.subscribe("t", heard.append, owner="a")
    undo()
    bus.send("t")
    bus.drain()
    assert len(heard) == 1


def test_nothing_is_heard_after_the_undo_not_even_what_waited(bus: Bus, gate: Gate) -> None:
    heard: list[Message] = []
    bus.subscribe("hold", gate, owner="a")
    undo = bus.subscribe("t", heard.append, owner="a")
    bus.send("hold")
    gate.await_visitor()
    bus.send("t")
    undo()
    gate.open()
    bus.drain()
    assert heard == []


def test_handlers_of_one_plugin_are_called_by_priority_then_by_age(bus: Bus) -> None:
    heard: list[str] = []
    bus.subscribe("t", lambda _: heard.append("low"), owner="a", priority=-1)
    bus.subscribe("t", lambda _: heard.append("first"), owner="a")
    bus.subscribe("*", lambda _: heard.append("second"), owner="a")
    bus.subscribe("t", Handler(handle=lambda _: heard.append("handler's"), priority=5), owner="a")
    bus.subscribe("t", Handler(handle=lambda _: heard.append("highest"), priority=5), owner="a", priority=9)
    bus.send("t")
    bus.drain()
    assert heard == ["highest", "handler's", "first", "second", "low"]


def test_messages_of_each_source_come_in_the_order_in_which_they_were_sent(bus: Bus) -> None:
    heard: list[Message] = []
    bus.subscribe("t", heard.append, owner="c")

    def send(source: str) -> None:
        for number in range(500):
            bus.send("t", number, source=source, wait=PATIENCE)

    threads = [threading.Thread(target=send, args=(source,)) for source in ("a", "b", "user:ada")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    bus.drain()

    for source in ("a", "b", "user:ada"):
        assert [message.payload for message in heard if message.source == source] == list(range(500))
    seqs = [message.seq for message in bus.get_history(limit=5_000)]
    assert seqs == sorted(set(seqs))


def test_a_handler_that_raises_is_charged_and_does_not_stop_the_next(bus: Bus, account: Account) -> None:
    heard: list[Message] = []

    def explode(message: Message) -> None:
        raise ValueError("boom")

    bus.subscribe("t", explode, owner="a", priority=1)
    bus.subscribe("t", heard.append, owner="a")
    bus.subscribe("t", heard.append, owner="b")

    message = bus.send("t")
    bus.drain()

    assert heard == [message, message]
    (charge,) = account.charges
    assert (charge.owner, str(charge.error), charge.where, charge.message) == ("a", "boom", "handler", message)


def test_a_handler_that_blocks_does_not_stop_other_plugins(bus: Bus, gate: Gate) -> None:
    heard = threading.Event()
    bus.subscribe("t", gate, owner="a")
    bus.subscribe("t", lambda _: heard.set(), owner="b")
    bus.send("t")
    assert heard.wait(PATIENCE)


def test_a_stuck_handler_is_written_off_and_the_others_still_hear(impatient: Bus, account: Account, gate: Gate) -> None:
    heard: list[str] = []
    done = threading.Event()
    impatient.subscribe("t", gate, owner="a", priority=1)
    impatient.subscribe("t", lambda _: heard.append("same message"), owner="a")
    impatient.subscribe("u", lambda _: done.set(), owner="a")

    message = impatient.send("t")
    impatient.send("u")

    assert done.wait(PATIENCE)
    assert heard == ["same message"]
    assert account.charged.wait(PATIENCE)
    (charge,) = account.charges
    assert (charge.owner, charge.where, charge.message) == ("a", "handler", message)
    assert isinstance(charge.error, LateError)


def test_a_handler_that_is_stuck_after_a_slow_one_is_written_off(impatient: Bus, account: Account, gate: Gate) -> None:
    waits = threading.Event()
    impatient.subscribe("t", lambda _: waits.wait(0.1), owner="a", priority=1)
    impatient.subscribe("t", gate, owner="a")
    impatient.send("t")
    assert account.charged.wait(PATIENCE / 2)
    impatient.drain()


def test_handlers_that_are_slow_only_together_are_not_stuck(impatient: Bus, account: Account) -> None:
    waits = threading.Event()
    for _ in range(4):
        impatient.subscribe("t", lambda _: waits.wait(0.1), owner="a")
    impatient.send("t")
    impatient.drain()
    assert account.charges == []


def test_a_lane_at_rest_keeps_no_message_alive(bus: Bus) -> None:
    class Payload(dict[str, int]):
        """A payload of which one can see whether it is alive."""

    payload = Payload(n=1)
    alive = weakref.ref(payload)
    bus.subscribe("t", lambda _: None, owner="a")
    bus.send("t", payload)
    bus.drain()
    bus.clear_history()
    del payload
    eventually(lambda: alive() is None, patience=KEEP / 2)  # while its thread still waits for work


def test_three_stuck_handlers_put_their_plugin_in_quarantine(impatient: Bus, account: Account, gate: Gate) -> None:
    impatient.subscribe("t", gate, owner="a")
    for _ in range(4):
        impatient.send("t")
    assert account.quarantine_called.wait(PATIENCE)
    assert [owner for owner, _ in account.quarantined] == ["a"]
    impatient.drain()
    assert impatient.dead_letters().counts() == {("a", "quarantined"): 1}


# --- sources and filters ---


def test_a_subscription_may_be_limited_to_sources(bus: Bus) -> None:
    heard: dict[str, list[str]] = {"one": [], "two": [], "any": []}
    bus.subscribe("t", lambda m: heard["one"].append(m.source), owner="a", source="b")
    bus.subscribe("t", lambda m: heard["two"].append(m.source), owner="a", source=("b", "core"))
    bus.subscribe("t", lambda m: heard["any"].append(m.source), owner="a", source=["b", "*"])
    for source in ("b", "c", "core"):
        bus.send("t", source=source)
    bus.drain()
    assert heard == {"one": ["b"], "two": ["b", "core"], "any": ["b", "c", "core"]}


def test_a_source_must_be_text(bus: Bus) -> None:
    with pytest.raises(InvalidError, match="is no source"):
        bus.subscribe("t", ignore, source=[5])  # type: ignore[list-item]  # what a careless plugin might do


def test_a_filter_says_which_messages_are_for_the_handler(bus: Bus) -> None:
    heard: list[int] = []
    asked_on: list[str] = []

    def is_even(message: Message) -> bool:
        asked_on.append(threading.current_thread().name)
        return bool(message.payload % 2 == 0)

    bus.subscribe("t", Handler(handle=lambda m: heard.append(m.payload), filter=is_even), owner="a")
    for number in range(4):
        bus.send("t", number)
    bus.drain()

    assert heard == [0, 2]
    assert set(asked_on) == {threading.current_thread().name}  # before the lane, in the sender


def test_a_filter_that_raises_is_charged_and_counts_as_no(bus: Bus, account: Account) -> None:
    heard: list[Message] = []
    bus.subscribe("t", Handler(handle=heard.append, filter=lambda m: m.payload["absent"]), owner="a")
    bus.subscribe("t", heard.append, owner="b")
    message = bus.send("t", {})
    bus.drain()
    assert heard == [message]
    assert [(c.owner, type(c.error), c.where, c.message.id if c.message else None) for c in account.charges] == [
        ("a", KeyError, "filter", message.id)
    ]


def test_a_filter_that_sends_what_it_filters_is_stopped_by_the_hop_limit(bus: Bus, account: Account) -> None:
    bus.subscribe("t", Handler(handle=ignore, filter=lambda _: bus.send("t", source="a")), owner="a")
    bus.send("t")
    assert len(bus.get_history("t")) == 33
    assert [(charge.where, type(charge.error).__name__) for charge in account.charges] == [("filter", "HopLimitError")]


def test_no_lock_is_held_while_a_plugin_decides(bus: Bus) -> None:
    def sends(message: Message) -> bool:
        bus.send("from:filter", source="a")
        bus.subscribe("another", ignore, owner="a")()
        return True

    bus.vet(lambda message: (bus.send("from:vet") if message.type == "t" else None) and message)
    bus.subscribe("t", Handler(handle=ignore, filter=sends), owner="a")
    worker = threading.Thread(target=bus.send, args=("t",), daemon=True)
    worker.start()
    worker.join(PATIENCE)
    assert not worker.is_alive()
    assert {message.type for message in bus.get_history()} == {"t", "from:filter", "from:vet"}


def test_a_finalizer_that_sends_while_the_bus_is_locked_does_not_stop_it(account: Account) -> None:
    lanes, calls = Lanes(account), Calls()
    bus = Bus(lanes=lanes, calls=calls, faults=account, limits=BusLimits(history=1, history_share=1))

    class Payload(dict[str, int]):
        """A payload that the bus forgets, with its lock held."""

        def __del__(self) -> None:
            bus.send("forgotten", source="a")

    bus.send("t", Payload(n=1))
    bus.send("t")
    reader = threading.Thread(target=bus.get_history, daemon=True)
    reader.start()
    reader.join(PATIENCE)
    assert not reader.is_alive()
    assert [message.type for message in bus.get_history()] == ["t", "forgotten"]
    bus.close()
    calls.close()
    lanes.close()


# --- what a handler is told ---


def test_a_handler_with_two_positional_parameters_gets_a_context(bus: Bus) -> None:
    seen: list[HandlerContext] = []

    def plain(message: Message, *, option: int = 1) -> None: ...
    def defaulted(message: Message, option: int = 1) -> None:
        assert option == 1

    for handler in (plain, defaulted, lambda _, context: seen.append(context)):
        bus.subscribe("t", handler, owner="a")
    bus.send("t")
    bus.drain()

    (context,) = seen
    assert context.user is None
    assert not context.signal.aborted
    assert context.signal.deadline is not None
    assert 0 < context.signal.deadline - time.monotonic() <= 30


def test_who_is_behind_a_message_is_told_to_those_who_may_know(account: Account) -> None:
    lanes, calls = Lanes(account), Calls()
    bus = Bus(lanes=lanes, calls=calls, faults=account, may_know_user=lambda owner: owner == "a")
    seen: dict[str, UserContext | None] = {}
    for owner in ("a", "b"):
        bus.join(owner)
        bus.subscribe("t", lambda _, context, owner=owner: seen.update({owner: context.user}), owner=owner)
    ada = UserContext(id="ada")

    with entered(Trail(user=ada)):
        bus.send("t", source="user:ada")
    bus.drain()

    assert seen == {"a": ada, "b": None}
    bus.close()
    calls.close()
    lanes.close()


def test_what_a_handler_sends_names_its_cause(bus: Bus) -> None:
    ada = UserContext(id="ada")
    trails: list[Trail] = []
    bus.subscribe("first", lambda _: bus.send("second", source="a"), owner="a")
    bus.subscribe("second", lambda _: bus.send("third", source="b"), owner="b")
    bus.subscribe("third", lambda _: trails.append(current_trail()), owner="c")

    with entered(Trail(user=ada, session="s1")):
        first = bus.send("first")
    bus.drain()

    second, third = bus.get_history("second")[0], bus.get_history("third")[0]
    assert (first.cause, second.cause, third.cause) == (None, first.id, second.id)
    assert trails == [Trail(cause=third.id, hops=3, user=ada, session="s1")]
    assert bus.send("after").cause is None


def test_messages_that_cause_one_another_without_end_are_stopped(bus: Bus, account: Account) -> None:
    bus.subscribe("loop", lambda _: bus.send("loop", source="a"), owner="a")
    bus.send("loop")
    bus.drain()

    assert len(bus.get_history("loop")) == 33  # the first and 32 hops
    (charge,) = account.charges
    assert (charge.owner, type(charge.error).__name__) == ("a", "HopLimitError")


# --- who takes part ---


def test_only_members_can_hear(bus: Bus) -> None:
    with pytest.raises(DisabledError, match="'nobody' has not joined the bus"):
        bus.subscribe("t", ignore, owner="nobody")
    with pytest.raises(DisabledError):
        bus.once("t", owner="nobody")


def test_a_handler_must_be_a_function(bus: Bus) -> None:
    with pytest.raises(InvalidError, match="cannot handle messages"):
        bus.subscribe("t", None, owner="a")  # type: ignore[arg-type]  # what a careless plugin might do


def test_nobody_joins_twice(bus: Bus) -> None:
    with pytest.raises(ConflictError, match="'a' has joined the bus already"):
        bus.join("a")


def test_of_a_plugin_that_left_nothing_remains(bus: Bus, lanes: Lanes, gate: Gate) -> None:
    heard: list[Message] = []
    leave = bus.join("guest")
    scoped = bus.scoped("guest")
    scoped.subscribe("hold", gate)
    scoped.subscribe("t", heard.append)
    scoped.subscribe("t*", heard.append)
    waiting = scoped.once("never")
    bus.send("hold")
    gate.await_visitor()
    for _ in range(3):
        bus.send("t")

    leave()
    leave()
    bus.send("t")
    gate.open()
    bus.drain()

    assert heard == []
    assert bus.count("guest") == bus.count() == 0
    assert "guest" not in lanes.depths()
    assert bus.dead_letters().counts() == {("guest", "gone"): 3}
    with pytest.raises(Exception, match="'guest' has left the bus"):
        waiting.result(PATIENCE)
    bus.join("guest")  # and it may come back


def test_the_host_takes_part_as_core(bus: Bus) -> None:
    heard: list[Message] = []
    bus.subscribe("t", heard.append)
    message = bus.send("t")
    to_core = bus.send("t", source="a", target="core")
    bus.drain()
    assert heard == [message, to_core]


def test_draining_waits_for_what_handlers_send_to_others(bus: Bus) -> None:
    rounds: list[int] = []

    def hand_on(message: Message, to: str, owner: str) -> None:
        rounds.append(message.payload)
        if message.payload:
            bus.send(to, message.payload - 1, source=owner)

    bus.subscribe("ping", lambda m: hand_on(m, "pong", "a"), owner="a")
    bus.subscribe("pong", lambda m: hand_on(m, "ping", "b"), owner="b")
    for _ in range(20):
        rounds.clear()
        bus.send("ping", 30)
        bus.drain()
        assert rounds == list(range(30, -1, -1))


def test_draining_names_who_is_busy(bus: Bus, gate: Gate) -> None:
    bus.subscribe("t", gate, owner="b")
    bus.send("t")
    gate.await_visitor()
    with pytest.raises(LateError, match="'b'"):
        bus.drain(0.01)
