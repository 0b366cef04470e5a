"""Stores keep Svelte's contract, from one thread and from many."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corehost import Readable, derived, readable, writable


def test_a_subscriber_is_called_at_once_and_after_each_change_until_it_goes() -> None:
    store, seen = writable(1), list[int]()
    undo = store.subscribe(seen.append)
    store.set(2)
    store.set(2)
    assert store.update(lambda value: value + 1) == 3
    undo()
    undo()
    store.set(4)

    assert seen == [1, 2, 3]
    assert (store.get(), store.version) == (4, 3)


def test_a_mutable_value_that_is_set_again_counts_as_a_change() -> None:
    items: list[int] = []
    store, seen = writable(items), list[int]()
    store.subscribe(lambda value: seen.append(len(value)))
    items.append(1)
    store.set(items)

    assert seen == [0, 1]


def test_a_store_starts_with_the_first_subscriber_and_stops_with_the_last() -> None:
    log: list[str] = []

    def start(set: Callable[[int], None]) -> Callable[[], None]:
        log.append("start")
        set(5)
        return lambda: log.append("stop")

    store, seen = readable(0, start), list[int]()
    assert store.get() == 0
    first, second = store.subscribe(seen.append), store.subscribe(lambda _: None)
    first()
    assert log == ["start"]
    second()

    assert log == ["start", "stop"]
    assert seen == [5]
    assert not hasattr(store, "set")


def test_a_derived_store_never_shows_half_of_a_change() -> None:
    number = writable(1)
    double = derived(number, lambda value: value * 2)
    both = derived((number, double), lambda a, b: (a, b))
    seen: list[tuple[int, int]] = []
    both.subscribe(seen.append)
    for value in range(2, 10):
        number.set(value)

    assert all(b == a * 2 for a, b in seen)
    assert (seen[0], seen[-1]) == ((1, 2), (9, 18))
    assert both.get() == (9, 18)


def test_a_derived_store_does_not_tell_a_value_that_is_the_same() -> None:
    number, seen = writable(1), list[bool]()
    derived(number, lambda value: value > 5).subscribe(seen.append)
    for value in (2, 3, 6, 7):
        number.set(value)

    assert seen == [False, True]


def test_a_guard_refuses_a_value_before_anyone_sees_it() -> None:
    store, seen = writable(1), list[int]()
    store.subscribe(seen.append)

    def check(value: Any) -> None:
        if value < 0:
            raise ValueError(value)

    store.guard(check)
    with pytest.raises(ValueError, match="-1"):
        store.set(-1)
    with pytest.raises(ValueError, match="-2"):
        store.update(lambda value: value - 3)
    assert (store.get(), seen) == (1, [1])
    store.guard(None)
    store.set(-1)
    assert store.get() == -1


def test_a_failing_subscriber_does_not_hide_a_change_from_the_next() -> None:
    store, seen = writable(0), list[int]()

    def explode(value: int) -> None:
        if value:
            raise ValueError("boom")

    store.subscribe(explode)
    store.subscribe(seen.append)
    with pytest.raises(ValueError, match="boom"):
        store.set(1)

    assert seen == [0, 1]


def test_a_subscriber_that_sets_ends_on_the_latest_value() -> None:
    store, seen = writable(0), list[int]()

    def follow(value: int) -> None:
        seen.append(value)
        if value < 5:
            store.set(value + 1)

    store.subscribe(follow)

    assert seen == [0, 1, 2, 3, 4, 5]


def test_a_subscriber_may_set_from_another_thread_and_wait_for_it() -> None:
    store, other, done = writable(0), writable(0), threading.Event()

    def forward(value: int) -> None:
        thread = threading.Thread(target=lambda: (other.set(value), store.get(), done.set()))  # type: ignore[func-returns-value]  # called for what they do
        thread.start()
        thread.join(10)

    store.subscribe(forward)
    store.set(1)

    assert done.is_set()
    assert other.get() == 1


def test_many_threads_lose_no_update_and_every_subscriber_ends_on_the_latest() -> None:
    store = writable(0)
    seen: list[list[int]] = [[], []]
    for log in seen:
        store.subscribe(log.append)

    def count() -> None:
        for _ in range(200):
            store.update(lambda value: value + 1)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert store.get() == 1600
    for log in seen:
        assert log[-1] == 1600
        assert log == sorted(set(log))


@given(st.lists(st.integers(0, 3)), st.lists(st.sampled_from(["a", "b"])))
def test_a_derived_store_always_equals_its_computation(values: list[int], which: list[str]) -> None:
    stores = {"a": writable(0), "b": writable(0)}
    total: Readable[int] = derived((stores["a"], stores["b"]), lambda a, b: a * 10 + b)
    seen: list[int] = []
    total.subscribe(seen.append)
    for value, name in zip(values, which, strict=False):
        stores[name].set(value)
        assert total.get() == stores["a"].get() * 10 + stores["b"].get() == seen[-1]
