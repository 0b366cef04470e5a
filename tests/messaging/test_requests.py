from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError, Future
from typing import Any

import pytest

from corehost.contract.errors import (
    AbortedError,
    BusyError,
    InvalidError,
    LateError,
    NoHandlerError,
    PluginFaultError,
)
from corehost.contract.message import Handler, HandlerContext, Message, MessageSchema
from corehost.contract.user import Signal
from corehost.messaging.bus import Bus
from corehost.messaging.calls import Calls
from corehost.messaging.lanes import Lanes
from corehost.messaging.trail import Trail, current_trail, entered
from tests.messaging.witness import PATIENCE, Account, Gate, ignore


def test_the_first_answer_by_priority_wins_and_the_rest_are_not_called(bus: Bus) -> None:
    called: list[str] = []

    def answering(name: str, answer: object) -> Handler:
        def handle(message: Message) -> object:
            called.append(name)
            return answer

        return Handler(handle=handle)

    bus.subscribe("q", answering("low", "low"), owner="a", priority=-1)
    bus.subscribe("q*", answering("silent", None), owner="c", priority=2)
    bus.subscribe("q", answering("winner", {"by": "b"}), owner="b", priority=1)

    assert bus.request("q") == {"by": "b"}
    assert called == ["silent", "winner"]


def test_ties_are_asked_in_load_order(bus: Bus) -> None:
    bus.join("late", rank=9)
    bus.join("early", rank=-5)
    bus.subscribe("q", lambda _: "late", owner="late")
    bus.subscribe("q", lambda _: "early", owner="early")
    assert bus.request("q") == "early"


@pytest.mark.parametrize("answer", [False, 0, "", [], {}])
def test_any_answer_but_none_is_one(bus: Bus, answer: object) -> None:
    bus.subscribe("q", lambda _: answer, owner="a", priority=1)
    bus.subscribe("q", lambda _: "other", owner="b")
    assert bus.request("q") == answer


def test_none_from_all_is_the_answer_none(bus: Bus) -> None:
    bus.subscribe("q", lambda _: None, owner="a")
    bus.subscribe("*", lambda _: None, owner="b")
    assert bus.request("q") is None


def test_without_a_handler_the_error_comes_at_once(bus: Bus) -> None:
    with pytest.raises(NoHandlerError, match="Nobody has a handler for 'q'"):
        bus.request("q")
    bus.subscribe("q", Handler(handle=ignore, filter=lambda _: False), owner="a")
    bus.subscribe("q", ignore, owner="a", source="b")
    with pytest.raises(NoHandlerError):
        bus.request("q")
    with pytest.raises(NoHandlerError, match="Plugin 'b' has no handler"):
        bus.request("q", target="b")


def test_a_handler_that_raises_is_an_error_of_its_plugin_with_the_cause(bus: Bus, account: Account) -> None:
    def explode(message: Message) -> None:
        raise ValueError("boom")

    bus.subscribe("q", explode, owner="a", priority=1)
    bus.subscribe("q", lambda _: "never asked", owner="b")

    with pytest.raises(PluginFaultError, match="Plugin 'a' failed on 'q': ValueError: boom") as caught:
        bus.request("q")

    assert caught.value.plugin_id == "a"
    assert isinstance(caught.value.__cause__, ValueError)
    (charge,) = account.charges
    assert (charge.owner, charge.where, charge.message and charge.message.type) == ("a", "request", "q")


def test_a_late_handler_is_an_error_of_its_own_and_is_told(bus: Bus, account: Account) -> None:
    told = threading.Event()

    def dawdle(message: Message, context: HandlerContext) -> str:
        context.signal.wait(PATIENCE)
        if context.signal.aborted:
            told.set()
        return "too late"

    bus.subscribe("q", dawdle, owner="a")
    with pytest.raises(LateError, match=r"answered 'q' within 0|did not answer 'q' in time"):
        bus.request("q", timeout=50)
    assert told.wait(PATIENCE)
    assert account.charges == []


def test_a_handler_that_gives_up_in_time_is_late_and_not_at_fault(bus: Bus, account: Account) -> None:
    ended = threading.Event()

    def obeys(message: Message, context: HandlerContext) -> None:
        context.signal.wait(PATIENCE)
        try:
            context.signal.raise_if_aborted()
        finally:
            ended.set()

    bus.subscribe("q", obeys, owner="a")
    with pytest.raises(LateError):
        bus.request("q", timeout=50)
    assert ended.wait(PATIENCE)
    assert account.charges == []


class Unhurried(Calls):
    """Calls that give up nothing, as if their clock were late."""

    def give_up_after(self, future: Future[Any], timeout: float | None, signal: Signal, text: str) -> None:
        """Do nothing."""


def test_an_answer_after_the_deadline_is_late_even_if_nobody_has_said_so_yet(lanes: Lanes, account: Account) -> None:
    calls = Unhurried()
    bus = Bus(lanes=lanes, calls=calls, faults=account)

    def dawdle(message: Message, context: HandlerContext) -> str:
        assert context.signal.wait(PATIENCE)
        return "too late"

    bus.subscribe("q", dawdle)
    with pytest.raises(LateError, match="'core' did not answer 'q' in time"):
        bus.request("q", timeout=20)
    bus.close()
    calls.close()


def test_no_time_at_all_is_late_at_once(bus: Bus) -> None:
    asked: list[object] = []
    bus.subscribe("q", lambda m: asked.append(m.payload), owner="a")
    with pytest.raises(LateError):
        bus.request("q", "no time", timeout=0)
    bus.request("q", "time")
    assert asked == ["time"]
    with pytest.raises(InvalidError, match="timeout"):
        bus.request("q", timeout=-1)
    with pytest.raises(InvalidError, match="timeout"):
        bus.request("q", timeout=float("nan"))


def test_a_plugin_with_all_places_taken_is_busy_at_once(bus: Bus, gate: Gate) -> None:
    bus.subscribe("q", lambda m: gate() if m.payload == "hold" else "answer", owner="a")
    held = [bus.request_future("q", "hold") for _ in range(32)]
    for _ in held:
        gate.await_visitor()
    with pytest.raises(BusyError, match="'a' works on 32 calls"):
        bus.request("q")
    gate.open()
    assert [future.result(PATIENCE) for future in held] == [None] * 32


def test_a_asks_b_which_asks_a_from_inside_their_lanes(bus: Bus) -> None:
    answers: list[object] = []
    bus.subscribe("a:start", lambda _: answers.append(bus.request("b:q", source="a")), owner="a")
    bus.subscribe("b:q", lambda _: {"b": bus.request("a:q", source="b")}, owner="b")
    bus.subscribe("a:q", lambda _: "from a", owner="a")
    bus.send("a:start")
    bus.drain()
    assert answers == [{"b": "from a"}]


def test_a_nested_request_inherits_what_is_left_of_the_deadline(bus: Bus) -> None:
    left: list[float] = []
    late: list[BaseException] = []
    ended, release = threading.Event(), threading.Event()

    def inner(message: Message, context: HandlerContext) -> None:
        deadline = context.signal.deadline
        assert deadline is not None
        left.append(deadline - time.monotonic())
        release.wait(PATIENCE)  # not for the signal: an answer at the very deadline would be in time

    def outer(message: Message) -> None:
        try:
            bus.request("inner", source="a", timeout=60_000)
        except LateError as error:
            late.append(error)
            raise
        finally:
            ended.set()

    bus.subscribe("outer", outer, owner="a")
    bus.subscribe("inner", inner, owner="b")
    with pytest.raises(LateError):
        bus.request("outer", timeout=1_000)
    assert ended.wait(PATIENCE)
    release.set()
    assert 0 < left[0] <= 1
    assert len(late) == 1


def test_requests_that_cause_one_another_without_end_are_stopped(bus: Bus) -> None:
    bus.subscribe("loop", lambda _: bus.request("loop", source="a"), owner="a")
    with pytest.raises(PluginFaultError, match=r"BusyError|HopLimitError"):
        bus.request("loop")


def test_a_request_that_two_plugins_pass_to_each_other_reaches_the_hop_limit(bus: Bus, account: Account) -> None:
    bus.subscribe("to:a", lambda _: bus.request("to:b", source="a"), owner="a")
    bus.subscribe("to:b", lambda _: bus.request("to:a", source="b"), owner="b")
    with pytest.raises(PluginFaultError):
        bus.request("to:a")
    assert len(bus.get_history("to:*")) == 33
    assert type(account.charges[0].error).__name__ == "HopLimitError"


def test_a_request_is_recorded_with_its_correlation_and_its_cause(bus: Bus) -> None:
    trails: list[Trail] = []
    bus.subscribe("q", lambda _: trails.append(current_trail()), owner="a")
    with entered(Trail(cause="m0", hops=2)):
        bus.request("q", {"n": 1}, source="user:ada", meta={"k": 1})

    (message,) = bus.get_history("q")
    assert message.correlation_id == message.id
    assert (message.payload, message.source, message.cause, message.meta) == ({"n": 1}, "user:ada", "m0", {"k": 1})
    assert (trails[0].cause, trails[0].hops) == (message.id, 3)
    assert trails[0].deadline is not None


def test_an_answer_that_breaks_the_schema_is_its_plugins_fault(bus: Bus, account: Account) -> None:
    bus.declare(MessageSchema(type="q", payload={}, response={"type": "integer"}, expects_response=True), owner="a")
    answers = iter([7, "seven", object()])
    bus.subscribe("q", lambda _: next(answers), owner="a")

    assert bus.request("q") == 7
    for _ in range(2):
        with pytest.raises(PluginFaultError, match="answer of 'a' to 'q' is not valid") as caught:
            bus.request("q")
        assert isinstance(caught.value.__cause__, InvalidError)
    assert len(account.charges) == 2


def test_an_answer_must_be_json(bus: Bus) -> None:
    bus.subscribe("q", lambda _: {"a": {1, 2}}, owner="a")
    with pytest.raises(PluginFaultError, match="/a: A set is no JSON value"):
        bus.request("q")


def test_a_handler_that_left_is_not_asked(bus: Bus, gate: Gate) -> None:
    def holds(message: Message) -> None:
        gate()

    bus.subscribe("q", holds, owner="a", priority=1)
    undo = bus.subscribe("q", lambda _: "gone", owner="b")
    future = bus.request_future("q")
    gate.await_visitor()
    undo()
    gate.open()
    assert future.result(PATIENCE) is None


def test_who_cancels_the_future_tells_the_handler(bus: Bus) -> None:
    inside, told = threading.Event(), threading.Event()

    def waits(message: Message, context: HandlerContext) -> None:
        inside.set()
        if context.signal.wait(PATIENCE):
            told.set()

    bus.subscribe("q", waits, owner="a", priority=1)
    bus.subscribe("q", lambda _: pytest.fail("asked after the asker had gone"), owner="b")
    future = bus.request_future("q")
    assert inside.wait(PATIENCE)
    assert future.cancel()
    assert told.wait(PATIENCE)
    with pytest.raises(CancelledError):
        future.result(PATIENCE)


def test_a_future_holds_the_errors_of_a_request(bus: Bus) -> None:
    assert isinstance(bus.scoped("a").request_future("q").exception(PATIENCE), NoHandlerError)
    bus.subscribe("q", lambda _: 1 / 0, owner="a")
    assert isinstance(bus.request_future("q").exception(PATIENCE), PluginFaultError)


def test_a_scoped_bus_asks_in_its_owners_name(bus: Bus) -> None:
    bus.subscribe("q", lambda m: [m.source, m.target], owner="b")
    assert bus.scoped("a").request("q", target="b") == ["a", "b"]


def test_a_host_that_stops_gives_up_its_requests(bus: Bus, calls: Calls, gate: Gate) -> None:
    bus.subscribe("q", gate, owner="a")
    future = bus.request_future("q")
    gate.await_visitor()
    calls.close()
    assert isinstance(future.exception(PATIENCE), AbortedError)


def test_the_time_of_request_handlers_is_measured(bus: Bus, account: Account) -> None:
    bus.subscribe("q", lambda _: "answer", owner="a")
    bus.request("q")
    assert [(owner, what) for owner, what, _ in account.times if what == "request"] == [("a", "request")]
