"""A plugin's event loop: started by the first coroutine, ended with the plugin."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from corehost import UserContext
from corehost.contract.errors import ConflictError, DisabledError
from corehost.messaging.trail import Trail, current_trail, entered
from corehost.plugins.coroutines import Coroutines


@pytest.fixture
def coroutines() -> Iterator[Coroutines]:
    made = Coroutines("clock")
    yield made
    made.close()


def loop_threads() -> int:
    return sum(thread.name == "plugin-clock-loop" for thread in threading.enumerate())


def test_a_plain_function_needs_no_loop(coroutines: Coroutines) -> None:
    assert coroutines.adapt(lambda value: value + 1)(1) == 2
    assert loop_threads() == 0


def test_a_coroutine_returns_and_raises_like_a_function(coroutines: Coroutines) -> None:
    async def halve(value: int) -> float:
        await asyncio.sleep(0)
        return 1 / value

    assert coroutines.adapt(halve)(2) == 0.5
    with pytest.raises(ZeroDivisionError):
        coroutines.adapt(halve)(0)
    assert loop_threads() == 1


def test_a_coroutine_knows_what_led_to_it(coroutines: Coroutines) -> None:
    async def who() -> UserContext | None:
        await asyncio.sleep(0)
        return current_trail().user

    with entered(Trail(user=UserContext(id="ann"))):
        assert coroutines.adapt(who)() == UserContext(id="ann")
    assert coroutines.adapt(who)() is None


def test_many_coroutines_run_at_once(coroutines: Coroutines) -> None:
    barrier = asyncio.Barrier(5)

    async def meet() -> None:
        await barrier.wait()

    futures = [coroutines.start(meet()) for _ in range(5)]
    for future in futures:
        future.result(10)


def test_a_coroutine_that_would_wait_for_its_own_loop_is_told(coroutines: Coroutines) -> None:
    async def inner() -> None:
        return

    async def outer() -> None:
        coroutines.adapt(inner)()

    with pytest.raises(ConflictError, match="Await it"):
        coroutines.adapt(outer)()


def test_closing_cancels_what_runs_and_tells_who_waits(coroutines: Coroutines) -> None:
    running, ended = threading.Event(), threading.Event()

    async def wait() -> None:
        running.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    outcome: list[BaseException] = []

    def call() -> None:
        try:
            coroutines.adapt(wait)()
        except DisabledError as error:
            outcome.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    assert running.wait(10)
    coroutines.close()
    caller.join(10)

    assert ended.is_set()
    assert len(outcome) == 1
    assert loop_threads() == 0
    closed = coroutines.adapt(wait)
    with pytest.raises(DisabledError):
        closed()
