from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from corehost.contract.errors import AbortedError, LateError
from corehost.contract.message import Message
from corehost.messaging.bus import Bus
from corehost.messaging.lanes import Lanes
from corehost.messaging.patterns import Pattern
from corehost.messaging.waiter import Waiter
from tests.messaging.witness import PATIENCE

T = TypeVar("T")


def run_elsewhere(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run *coroutine* on a thread of its own: a browser test before this one leaves a loop running on ours."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result(PATIENCE)


def test_the_next_message_only_is_heard(bus: Bus) -> None:
    bus.send("t")
    awaited = bus.scoped("a").once("t*")
    message = bus.send("tick")
    bus.send("tock")
    assert awaited.result(PATIENCE) == awaited.result() == message
    assert bus.count() == 0


def test_waiting_ends_with_an_error_and_may_be_tried_again(bus: Bus) -> None:
    awaited = bus.once("t")
    with pytest.raises(LateError, match=r"No message 't' came within 0\.01 s"):
        awaited.result(0.01)
    message = bus.send("t")
    assert awaited.result(PATIENCE) == message


def test_who_cancels_hears_nothing_and_leaves_nothing_behind(bus: Bus) -> None:
    awaited = bus.once("t")
    awaited.cancel()
    awaited.cancel()
    bus.send("t")
    with pytest.raises(AbortedError, match="was cancelled"):
        awaited.result(PATIENCE)
    assert bus.count() == 0


def test_source_and_target_are_minded(bus: Bus) -> None:
    awaited = bus.once("t", owner="a", source="b")
    bus.send("t", source="c")
    bus.send("t", source="b", target="c")
    message = bus.send("t", source="b", target="a")
    assert awaited.result(PATIENCE) == message


def test_a_handler_can_wait_for_an_answer_to_what_it_sends(bus: Bus) -> None:
    got: list[Message] = []

    def handle(message: Message) -> None:
        reply = bus.once("reply", owner="a")
        bus.send("question", source="a")
        got.append(reply.result(PATIENCE))

    bus.subscribe("start", handle, owner="a")
    bus.subscribe("question", lambda _: bus.send("reply", source="b"), owner="b")
    bus.send("start")
    bus.drain()
    assert [message.type for message in got] == ["reply"]


def test_a_request_is_a_message_too(bus: Bus) -> None:
    awaited = bus.once("q")
    bus.subscribe("q", lambda _: "answer", owner="a")
    assert bus.request("q") == "answer"
    assert awaited.result(PATIENCE).correlation_id is not None


def test_it_can_be_awaited_in_a_coroutine(bus: Bus) -> None:
    async def wait() -> Message:
        awaited = bus.once("t")
        threading.Thread(target=bus.send, args=("t",)).start()
        return await asyncio.wait_for(_as_task(awaited), PATIENCE)

    async def _as_task(awaited: object) -> Message:
        return await awaited  # type: ignore[misc,no-any-return]  # Awaited's __await__ is untyped on purpose

    assert run_elsewhere(wait()).type == "t"


def test_a_coroutine_that_gives_up_leaves_nothing_behind(bus: Bus) -> None:
    async def wait() -> None:
        async def inner() -> None:
            await bus.once("t")

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(inner(), 0.01)

    run_elsewhere(wait())
    assert bus.count() == 0


def test_a_message_that_is_claimed_is_the_only_one(lanes: Lanes) -> None:
    lanes.open("a")
    lane = lanes.lane("a")
    assert lane is not None
    waiter = Waiter(Pattern("t"), lane=lane, sources=None, order=(0, 0, 0))
    first, second = (Message(id=str(seq), type="t", source="b", payload=None, timestamp=0, seq=seq) for seq in (1, 2))
    assert waiter.takes(first)
    assert not waiter.takes(second)  # even if its sender hands it over first


def test_of_many_senders_one_is_heard(bus: Bus) -> None:
    for _ in range(50):
        awaited = bus.once("t")
        threads = [threading.Thread(target=bus.send, args=("t", number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        newest = bus.get_history("t", limit=4)
        assert awaited.result(PATIENCE) == newest[0]
