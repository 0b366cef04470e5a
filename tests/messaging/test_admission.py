from __future__ import annotations

import threading
from typing import Any

import marshmallow
import pytest
from msgspec.structs import replace

from corehost.contract.errors import (
    ConflictError,
    HopLimitError,
    InvalidError,
    ManifestError,
    NoHandlerError,
    NoTargetError,
    PermissionDeniedError,
)
from corehost.contract.message import Message, MessageSchema
from corehost.messaging.bus import Bus
from corehost.messaging.trail import Trail, entered
from tests.messaging.witness import ignore

TICK = MessageSchema(
    type="clock:tick",
    payload={"type": "object", "required": ["zone"], "properties": {"zone": {"type": "string"}}},
)


# --- core:* ---


def test_core_messages_come_from_the_host_alone(bus: Bus) -> None:
    with pytest.raises(PermissionDeniedError, match="sent by the host alone") as caught:
        bus.scoped("a").send("core:plugin:enabled")
    assert caught.value.subject == "a"
    with pytest.raises(PermissionDeniedError):
        bus.request("core:ask", source="user:ada")
    assert bus.send("core:plugin:enabled").source == "core"
    assert bus.scoped("a").send("corehost:is:another").source == "a"


# --- targets ---


def test_only_the_target_hears_a_targeted_message(bus: Bus) -> None:
    heard: list[str] = []
    for owner in ("a", "b", "core"):
        bus.subscribe("t", lambda _, owner=owner: heard.append(owner), owner=owner)
    message = bus.send("t", target="b")
    bus.drain()
    assert heard == ["b"]
    assert message.target == "b"


def test_a_plugin_that_is_not_there_is_no_target(bus: Bus) -> None:
    leave = bus.join("guest")
    bus.send("t", target="guest")
    leave()
    with pytest.raises(NoTargetError, match="no enabled plugin 'guest'"):
        bus.send("t", target="guest")
    with pytest.raises(NoTargetError):
        bus.request("t", target="guest")


def test_a_user_or_session_is_a_target_while_present_and_no_plugin_hears(bus: Bus) -> None:
    heard: list[Message] = []
    bus.subscribe("*", heard.append, owner="a")
    feed = bus.open_feed(lambda: None)
    with pytest.raises(NoTargetError, match="Nobody is there as 'user:ada'"):
        bus.send("t", target="user:ada")

    undo = bus.presence({"user:ada", "session:s1"}.__contains__)
    sent = [bus.send("t", target="user:ada"), bus.send("t", target="session:s1")]
    with pytest.raises(NoTargetError):
        bus.send("t", target="user:eve")
    with pytest.raises(NoHandlerError):
        bus.request("t", target="user:ada")
    undo()
    with pytest.raises(NoTargetError):
        bus.send("t", target="user:ada")
    bus.drain()

    assert heard == []
    assert feed.take(10)[:2] == sent


# --- hops ---


def test_the_thirty_third_hop_is_refused(bus: Bus) -> None:
    with entered(Trail(hops=32)):
        bus.send("t")
    with entered(Trail(hops=33)):
        with pytest.raises(HopLimitError, match="loop"):
            bus.send("t")
        with pytest.raises(HopLimitError):
            bus.request("t")


# --- schemas ---


def test_a_payload_that_breaks_its_schema_is_refused_in_the_sender_with_every_fault(bus: Bus) -> None:
    undo = bus.declare(
        MessageSchema(type="t", payload={"required": ["a"], "properties": {"b": {"type": "integer"}}}), owner="a"
    )
    with pytest.raises(InvalidError) as caught:
        bus.send("t", {"b": "x"})
    assert sorted(fault.path for fault in caught.value.faults) == ["", "/b"]
    with pytest.raises(InvalidError):
        bus.request("t", {"b": "x"})
    assert bus.get_history() == []

    undo()
    undo()
    assert bus.send("t", {"b": "x"}).seq == 1


def test_a_schema_holds_for_types_that_were_sent_before(bus: Bus) -> None:
    bus.send("clock:tick", "anything")
    bus.declare(TICK, owner="a")
    with pytest.raises(InvalidError):
        bus.send("clock:tick", "anything")


def test_a_marshmallow_schema_checks_as_well(bus: Bus) -> None:
    class Tick(marshmallow.Schema):
        zone = marshmallow.fields.String(required=True)

    bus.declare(MessageSchema(type="t", payload=Tick), owner="a")
    bus.send("t", {"zone": "UTC"})
    with pytest.raises(InvalidError, match="/zone"):
        bus.send("t", {})


def test_a_second_schema_for_a_type_is_refused_naming_both(bus: Bus) -> None:
    bus.declare(TICK, owner="a")
    with pytest.raises(ConflictError, match=r"'b' declares .* 'clock:tick', which 'a' has declared"):
        bus.declare(TICK, owner="b")
    assert bus.schemas() == {"clock:tick": ("a", TICK)}


def test_a_schema_goes_with_its_plugin(bus: Bus) -> None:
    leave = bus.join("guest")
    bus.declare(TICK, owner="guest")
    leave()
    assert bus.schemas() == {}
    bus.declare(TICK, owner="a")


def test_what_is_no_schema_is_refused(bus: Bus) -> None:
    with pytest.raises(ManifestError, match="not valid"):
        bus.declare(MessageSchema(type="t", payload={"type": "nonsense"}), owner="a")
    with pytest.raises(InvalidError, match="is a pattern"):
        bus.declare(MessageSchema(type="t:*", payload={}), owner="a")
    with pytest.raises(PermissionDeniedError, match="belongs to the host"):
        bus.declare(MessageSchema(type="core:t", payload={}), owner="a")
    assert bus.schemas() == {}


# --- vetting ---


def test_a_message_may_be_amended_before_it_is_published(bus: Bus) -> None:
    heard: list[Message] = []
    bus.subscribe("t", heard.append, owner="a")
    undo = bus.vet(lambda m: replace(m, payload="amended", meta={"by": "vet"}, source="forged", id="x", seq=99))

    message = bus.send("t", "plain", source="b")
    bus.subscribe("q", lambda m: f"asked {m.payload}", owner="a")
    assert bus.request("q", "plain") == "asked amended"
    bus.drain()

    assert (message.payload, message.meta, message.source, message.seq) == ("amended", {"by": "vet"}, "b", 1)
    assert message.id != "x"
    assert heard == bus.get_history("t") == [message]
    undo()
    assert bus.send("t", "plain").payload == "plain"


def test_a_message_may_be_vetoed(bus: Bus) -> None:
    def veto(message: Message) -> Message | None:
        if message.payload == "secret":
            raise PermissionDeniedError("Not this one.")
        return None

    bus.vet(veto)
    with pytest.raises(PermissionDeniedError, match="Not this one"):
        bus.send("t", "secret")
    assert bus.get_history() == []
    assert bus.send("t", "open").payload == "open"
    assert bus.send("core:t", "secret").payload == "secret"  # the host's own word is not vetted


def test_vetting_holds_for_what_was_plain_before_and_ends_with_its_undo(bus: Bus) -> None:
    send = bus.scoped("b").send
    assert send("t", "plain").payload == "plain"

    undo = bus.vet(lambda m: replace(m, payload="amended"))
    assert [send("t", "plain").payload for _ in range(2)] == ["amended"] * 2
    undo()

    assert send("t", "plain").payload == "plain"


@pytest.mark.parametrize("amended", [{"payload": {}}, {"payload": object()}, {"meta": {"a": object()}}])
def test_what_a_message_was_amended_to_is_checked_again(bus: Bus, amended: dict[str, object]) -> None:
    bus.declare(TICK, owner="a")
    bus.vet(lambda m: replace(m, **amended))
    with pytest.raises(InvalidError):
        bus.send("clock:tick", {"zone": "UTC"})


def test_vetting_that_sends_is_stopped_by_the_hop_limit(bus: Bus) -> None:
    def sends(message: Message) -> Message:
        bus.send("again", source="a")
        return message

    bus.vet(sends)
    with pytest.raises(HopLimitError):
        bus.send("t")


# --- plans ---


def test_types_without_end_do_not_pile_up(bus: Bus) -> None:
    heard: list[Message] = []
    bus.subscribe("type:*", heard.append, owner="a")
    for number in range(5_000):
        bus.send(f"type:{number}", wait=10)
    bus.drain()
    assert len(heard) == 5_000


def test_subscribing_while_others_send_loses_nothing_afterwards(bus: Bus) -> None:
    stop = threading.Event()

    def send() -> None:
        while not stop.is_set():
            bus.send("t", source="b")

    sender = threading.Thread(target=send)
    sender.start()
    try:
        for _ in range(200):
            heard: list[str] = []
            undo = bus.subscribe("t", lambda m, heard=heard: heard.append(m.id), owner="a", source="c")
            message = bus.send("t", source="c", wait=10)
            bus.once("t", owner="a")
            undo_wildcard = bus.subscribe("t*", ignore, owner="a", source="nobody")
            bus.drain(30)
            assert heard == [message.id]
            undo()
            undo_wildcard()
    finally:
        stop.set()
        sender.join()


@pytest.mark.parametrize("type", [[], {}, 5, None, "", "t*"])
def test_what_can_be_no_type_is_refused_by_a_plugins_bus_too(bus: Bus, type: Any) -> None:
    with pytest.raises(InvalidError):
        bus.scoped("a").send(type)
