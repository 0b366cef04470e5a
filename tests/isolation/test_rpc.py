"""Calls between two processes: many at a time, each with a deadline, none outliving the line."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from corehost.contract.errors import (
    BusyError,
    InvalidError,
    LateError,
    PermissionDeniedError,
    PluginFaultError,
    TooLargeError,
)
from corehost.contract.user import Signal
from corehost.plugins.isolation.rpc import Asked, Channel

Serve = Callable[[Asked], Any]


class Ends:
    """Two ends of one line; *there* serves by a function that a test may set."""

    def __init__(self, limit: int = 64) -> None:
        self.answer: Serve = lambda asked: asked.params
        self.told: list[Any] = []
        self.closed = threading.Event()
        ours, self.theirs = socket.socketpair()
        self.here = Channel(
            ours,
            owner="clock",
            serve=lambda asked: ["here", asked.during],
            closed=lambda _: self.closed.set(),
            limit=limit,
        )
        self.there = Channel(
            self.theirs, owner="host", serve=lambda asked: self.answer(asked), hear=lambda *told: self.told.append(told)
        )
        self.here.start()
        self.there.start()

    def close(self) -> None:
        self.here.close("the test is over")
        self.there.close("the test is over")


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close()


def test_values_come_back_and_calls_nest(ends: Ends) -> None:
    assert ends.here.call("echo", {"a": [1, None, "x", 2.5]}, seconds=5) == {"a": [1, None, "x", 2.5]}

    ends.answer = lambda asked: ends.there.call("back", seconds=5, during=asked.number)
    number, future = ends.here.begin("out")
    assert future.result(5) == ["here", number]


def test_a_slow_call_stops_no_other(ends: Ends) -> None:
    gate = threading.Event()
    ends.answer = lambda asked: gate.wait(5) if asked.method == "slow" else "quick"
    _, slow = ends.here.begin("slow")

    assert ends.here.call("quick", seconds=5) == "quick"
    gate.set()
    assert slow.result(5) is True


def test_errors_keep_class_text_and_faults(ends: Ends) -> None:
    def answer(asked: Asked) -> Any:
        raise {
            "ours": PermissionDeniedError("no", permission="a:b", subject="clock"),
            "theirs": ZeroDivisionError("nought"),
            "leaves": SystemExit(3),
        }[asked.method]

    ends.answer = answer
    with pytest.raises(PermissionDeniedError, match="no") as denied:
        ends.here.call("ours", seconds=5)
    assert (denied.value.permission, denied.value.subject) == ("a:b", "clock")
    with pytest.raises(Exception, match="nought") as raised:
        ends.here.call("theirs", seconds=5)
    assert type(raised.value).__name__ == "ZeroDivisionError"
    with pytest.raises(Exception, match="3"):
        ends.here.call("leaves", seconds=5)


def test_a_late_call_is_given_up_and_the_other_side_told(ends: Ends) -> None:
    aborted, seen = threading.Event(), threading.Event()

    def answer(asked: Asked) -> None:
        asked.signal.wait(5)
        aborted.set()
        seen.wait(5)

    ends.answer = answer
    with pytest.raises(LateError):
        ends.here.call("slow", seconds=0.05)

    assert aborted.wait(5)
    seen.set()


def test_a_caller_who_gives_up_early_is_heard_of(ends: Ends) -> None:
    signal = Signal()

    def answer(asked: Asked) -> None:
        signal.abort()
        asked.signal.wait(5)

    ends.answer = answer
    with pytest.raises(LateError):
        ends.here.call("slow", seconds=60, signal=signal)


def test_what_is_overdue_is_known(ends: Ends) -> None:
    gate = threading.Event()
    ends.answer = lambda asked: gate.wait(5)
    assert ends.here.overdue() is None
    with pytest.raises(LateError):
        ends.here.call("stuck", seconds=0.01)
    overdue = ends.here.overdue()
    gate.set()

    assert overdue is not None
    assert overdue[0] == "stuck"


def test_too_many_calls_are_refused_at_once_on_either_side() -> None:
    with ExitStack() as closers:
        few, many, gate = Ends(limit=2), Ends(limit=1_000), threading.Event()
        closers.callback(few.close)
        closers.callback(many.close)
        for each in (few, many):
            each.answer = lambda asked: gate.wait(5)
        for _ in range(2):
            few.here.begin("wait")
        with pytest.raises(BusyError):
            few.here.begin("wait")
        futures = [many.here.begin("wait")[1] for _ in range(65)]
        with pytest.raises(BusyError):
            futures[-1].result(5)
        gate.set()
        assert futures[0].result(5) is True


def test_what_cannot_be_sent_is_refused_where_it_is(ends: Ends) -> None:
    with pytest.raises(TooLargeError, match="at most 1000000"):
        ends.here.call("echo", "x" * 1_000_001, seconds=5)
    with pytest.raises(InvalidError):
        ends.here.call("echo", object(), seconds=5)
    ends.answer = lambda asked: "x" * 2_000_000
    with pytest.raises(TooLargeError):
        ends.here.call("long", seconds=5)


def test_the_end_of_the_other_side_ends_all_calls_at_once(ends: Ends) -> None:
    gate = threading.Event()
    ends.answer = lambda asked: gate.wait(5)
    _, waiting = ends.here.begin("wait")
    ends.theirs.shutdown(socket.SHUT_RDWR)

    with pytest.raises(PluginFaultError, match="its process has ended"):
        waiting.result(5)
    assert ends.closed.wait(5)
    with pytest.raises(PluginFaultError):
        ends.here.begin("wait")
    gate.set()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x00\x00\x00\x05hello", b"\xff\xff\xff\xff", b"\x00\x00\x00\x01\x05", b"\x00\x00\x00\x01\x90",
        b"\x00\x00\x00\x03\x93\x01\x09\x01"[:8], b"\x00\x00\x07\xd0" + b"\x91" * 2_000,
    ],
)  # fmt: skip  # frames
def test_nonsense_ends_the_line(nonsense: bytes) -> None:
    ours, theirs = socket.socketpair()
    reason: Future[str] = Future()
    channel = Channel(ours, owner="clock", serve=lambda asked: None, closed=reason.set_result)
    channel.start()
    theirs.sendall(nonsense)

    assert "makes no sense" in reason.result(5)
    theirs.close()


def test_who_does_not_read_costs_a_caller_no_more_than_a_while() -> None:
    ours, theirs = socket.socketpair()
    closed = threading.Event()
    channel = Channel(ours, owner="clock", serve=lambda asked: None, closed=lambda _: closed.set(), send_seconds=1)
    first = channel.begin("echo", "x" * 900_000)[1]

    with pytest.raises(PluginFaultError, match="did not read"):
        first.result(0)
    with pytest.raises(PluginFaultError):
        channel.begin("echo")
    assert closed.is_set()
    theirs.close()
    ours.close()


def test_what_is_told_arrives(ends: Ends) -> None:
    ends.here.tell("log", ["info", "hello"])
    ends.here.call("echo", seconds=5)

    assert ends.told == [("log", ["info", "hello"])]


def test_many_callers_on_both_sides_each_get_their_own_answer(ends: Ends) -> None:
    def answer(asked: Asked) -> Any:
        number, depth = asked.params
        return number if depth == 0 else ends.there.call("back", number, seconds=30, during=asked.number)[0]

    def call_often(first: int) -> list[Any]:
        return [ends.here.call("out", [first + i, i % 2], seconds=30) for i in range(100)]

    ends.answer = answer
    with ThreadPoolExecutor(16) as callers:
        found = list(callers.map(call_often, range(0, 1_600, 100)))

    assert found == [["here" if i % 2 else first + i for i in range(100)] for first in range(0, 1_600, 100)]


def test_what_comes_while_nobody_calls_is_heard(ends: Ends) -> None:
    for _ in range(50):  # right after a call, whose caller has read until then
        ends.here.call("echo", seconds=30)
        assert ends.there.call("back", seconds=30) == ["here", None]
    heard = threading.Event()
    ends.here.begin("echo")[1].add_done_callback(lambda _: heard.set())

    assert heard.wait(30)


def test_who_is_told_of_an_answer_may_call_at_once(ends: Ends) -> None:
    found: Future[Any] = Future()
    begun = ends.here.begin("echo", 1)[1]
    begun.add_done_callback(lambda done: found.set_result(ends.here.call("echo", done.result() + 1, seconds=30)))

    assert found.result(30) == 2


def test_threads_and_sockets_end_with_the_line() -> None:
    before, ours = set(threading.enumerate()), Ends()
    ours.here.call("echo", seconds=30)
    ours.close()

    for thread in set(threading.enumerate()) - before:
        thread.join(30)
        assert not thread.is_alive()
    assert ours.theirs.fileno() == -1
