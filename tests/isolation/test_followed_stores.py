"""Whoever follows a store of an isolated plugin may take time, fail, and call the plugin back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from tests.plugins.workshop import ADMIN, Workshop


@pytest.fixture(scope="module")
def apart(hosting: Callable[..., Workshop]) -> Workshop:
    return hosting("teller", isolated=("teller",))


@pytest.fixture
def followed(apart: Workshop) -> Iterator[Callable[[Callable[[Any], Any]], None]]:
    """Subscribe to the store, which holds 0 then, until the test is over."""
    undos: list[Callable[[], None]] = []
    apart.plugins.gateway.write_store("teller", "number", 0, user=ADMIN)
    store = apart.plugins.gateway.store("teller", "number")
    yield lambda run: undos.append(store.subscribe(run))
    for undo in undos:
        undo()


def test_a_subscriber_that_calls_the_plugin_back_is_answered_at_once(apart: Workshop, followed: Any) -> None:
    answered: Future[Any] = Future()

    def call_back(value: int) -> None:
        if value == 1:
            answered.set_result(apart.plugins.gateway.call("teller", "echo", "here", user=ADMIN, timeout=5))

    followed(call_back)
    apart.call("teller", "put", 1)

    assert answered.result(30) == "here"


def test_a_slow_subscriber_holds_up_no_call_and_ends_on_the_newest_value(apart: Workshop, followed: Any) -> None:
    gate, begun, done = threading.Event(), threading.Event(), threading.Event()
    heard: list[int] = []

    def take(value: int) -> None:
        heard.append(value)
        if value == 1:
            begun.set()
            gate.wait(30)
        if value == 9:
            done.set()

    followed(take)
    apart.call("teller", "put", 1)
    assert begun.wait(30)
    for value in range(2, 10):
        assert apart.call("teller", "put", value) == value
    gate.set()

    assert done.wait(30)
    assert heard == sorted(heard)


def test_a_subscriber_that_fails_hides_no_later_change(apart: Workshop, followed: Any) -> None:
    heard: Future[int] = Future()

    def fail(value: int) -> None:
        if value == 1:
            raise RuntimeError("cannot bear it")

    followed(fail)
    apart.call("teller", "put", 1)
    followed(lambda value: heard.set_result(value) if value == 2 else None)
    apart.call("teller", "put", 2)

    assert heard.result(30) == 2
    assert apart.call("teller", "echo", 1) == 1


def test_who_sets_a_store_has_told_all_subscribers_when_that_returns(apart: Workshop, followed: Any) -> None:
    heard: list[int] = []
    tellers: set[str] = set()

    def take(value: int) -> None:
        heard.append(value)
        tellers.add(threading.current_thread().name)

    followed(take)
    for value in range(1, 300):
        apart.plugins.gateway.write_store("teller", "number", value, user=ADMIN)
        assert heard[-1] == value

    assert not any("stores" in name for name in tellers), "or there would be somebody to wait for"
