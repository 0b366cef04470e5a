from __future__ import annotations

from typing import Any

from corehost.contract.message import Message
from corehost.messaging.bus import Bus
from corehost.messaging.calls import Calls
from corehost.messaging.lanes import Lanes
from corehost.messaging.signals import Signals
from tests.messaging.witness import Account, Gate, ignore


def test_published_messages_are_signalled(bus: Bus) -> None:
    seen: list[tuple[object, Message]] = []

    def receiver(sender: Any, message: Message) -> None:
        seen.append((sender, message))

    bus.signals.message_published.connect(receiver)
    bus.subscribe("q", lambda _: "answer", owner="a")
    sent = bus.send("t")
    bus.request("q")
    assert seen[0] == (bus, sent)
    assert [message.type for _, message in seen] == ["t", "q"]


def test_a_receiver_that_raises_does_not_reach_the_sender(bus: Bus) -> None:
    def receiver(sender: Any, **values: Any) -> None:
        raise ValueError("boom")

    bus.signals.message_published.connect(receiver)
    assert bus.send("t").seq == 1


def test_dropped_messages_are_signalled_one_by_one(account: Account, gate: Gate) -> None:
    signals = Signals()
    lanes, calls = Lanes(account, share=1), Calls()
    bus = Bus(lanes=lanes, calls=calls, faults=account, signals=signals)
    dropped: list[str] = []

    def receiver(sender: Any, letter: Any) -> None:
        dropped.append(letter.what)

    signals.message_dropped.connect(receiver)
    bus.subscribe("hold", gate)
    bus.subscribe("t*", ignore)
    bus.send("hold")
    gate.await_visitor()
    for number in range(4):
        bus.send(f"t{number}")
    assert dropped == ["t1", "t2", "t3"]
    gate.open()
    bus.close()
    calls.close()
    lanes.close()


def test_hosts_do_not_share_signals() -> None:
    assert Signals().plugin_enabled is not Signals().plugin_enabled
