"""The short way of plain messages: what it keeps from one message to the next must never be out of date."""

from __future__ import annotations

import time
from typing import Any

import pytest

from corehost.contract.errors import InvalidError, PermissionDeniedError
from corehost.contract.message import Handler, Message, MessageSchema
from corehost.messaging.bus import Bus
from corehost.messaging.lane import CROWD
from tests.messaging.witness import Gate, ignore


class Licence:
    """The access of an owner that may send while its grants are those that were looked at."""

    def __init__(self) -> None:
        self.granted = self.passed = object()
        self.holder = self

    def admit(self) -> None:
        """Refuse nobody."""

    def admit_message(self) -> None:
        raise PermissionDeniedError("No more.", subject="b")

    def keep(self, undo: Any) -> Any:
        return undo


def test_what_a_source_sends_whose_box_was_cleared_away_is_heard_or_counted(bus: Bus, gate: Gate) -> None:
    heard: list[str] = []
    leave = bus.join("guest")
    bus.subscribe("t", lambda message: heard.append(message.source), owner="guest")
    bus.subscribe("stop", gate, owner="guest")
    send = bus.scoped("b").send
    send("t")
    for number in range(2 * CROWD):
        bus.send("t", source=f"user:{number}")
        bus.drain()
    send("t")
    bus.drain()
    bus.send("stop")
    gate.await_visitor()
    for _ in range(3):
        send("t")
    leave()

    assert heard.count("b") == 2
    assert len(heard) == 2 * CROWD + 2
    assert bus.dead_letters().counts() == {("guest", "gone"): 3}


def test_every_message_is_looked_at_anew_once_the_grants_are_others(bus: Bus) -> None:
    licence = Licence()
    send = bus.scoped("b", licence).send
    send("t")
    licence.granted = object()
    with pytest.raises(PermissionDeniedError):
        send("t")


def test_a_schema_and_a_filter_count_from_the_next_message_on(bus: Bus) -> None:
    send, heard = bus.scoped("b").send, list[Any]()
    send("t", 1)
    withdraw = bus.declare(MessageSchema(type="t", payload={"type": "string"}), owner="a")
    with pytest.raises(InvalidError):
        send("t", 1)
    withdraw()
    undo = bus.subscribe("t", Handler(handle=heard.append, filter=lambda message: message.payload > 1), owner="a")
    messages = [send("t", number) for number in range(4)]
    bus.drain()
    undo()
    send("t", 5)
    bus.drain()

    assert heard == messages[2:]


def test_listeners_of_the_host_are_told_whenever_they_come_and_go(bus: Bus) -> None:
    send, told = bus.scoped("b").send, list[Message]()

    def receive(_: object, message: Message) -> None:
        told.append(message)

    send("t")
    bus.signals.message_published.connect(receive)
    message = send("t")
    bus.signals.message_published.disconnect(receive)
    send("t")

    assert told == [message]


def test_messages_tell_the_millisecond_in_which_they_were_sent(bus: Bus) -> None:
    bus.subscribe("t", ignore, owner="a")
    send = bus.scoped("b").send
    for _ in range(2_000):
        before = int(time.time() * 1_000)
        timestamp = send("t", wait=10).timestamp
        assert before <= timestamp <= int(time.time() * 1_000)


def test_ids_are_unique_by_whichever_way_messages_go(bus: Bus) -> None:
    scoped = bus.scoped("b")
    special: list[dict[str, Any]] = [{}, {"meta": {}}, {"target": "a"}]
    messages = [send("t", **more) for more in special for send in (scoped.send, bus.send)]
    assert len({message.id for message in messages}) == len(messages)
    assert [message.seq for message in messages] == list(range(1, 7))
