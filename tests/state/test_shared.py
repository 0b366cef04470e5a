"""State that all plugins share, and stores that are watched from another lane."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from corehost import writable
from corehost.contract.errors import InvalidError, TooLargeError
from corehost.state.shared import MAX_KEYS, SharedState
from corehost.state.watching import watch


class Lane:
    """A lane that works when told; of one key it keeps the latest work only."""

    def __init__(self) -> None:
        self.waiting: dict[object, Callable[[], Any]] = {}

    def submit(self, work: Callable[[], Any], key: object) -> None:
        self.waiting[key] = work

    def work(self) -> int:
        waiting, self.waiting = self.waiting, {}
        for work in waiting.values():
            work()
        return len(waiting)


def test_values_are_set_updated_and_followed() -> None:
    shared = SharedState()
    seen: list[Any] = []
    assert shared.get("zone", "default") == "default"
    undo = shared.subscribe("zone", seen.append)
    shared.set("zone", "UTC")
    assert shared.update("zone", lambda zone: zone.lower()) == "utc"
    undo()
    shared.set("zone", "CET")

    assert seen == [None, "UTC", "utc"]
    assert shared.get_store("zone").get() == "CET"
    assert shared.keys() == ["zone"]


@pytest.mark.parametrize("value", [object(), {1: 2}, float("inf")])
def test_what_is_no_json_is_refused(value: Any) -> None:
    shared = SharedState()
    with pytest.raises(InvalidError):
        shared.set("a", value)
    with pytest.raises(InvalidError):
        shared.update("a", lambda _: value)
    assert shared.get("a") is None


@pytest.mark.parametrize("key", ["", "x" * 513, 5, None])
def test_what_is_no_key_is_refused(key: Any) -> None:
    with pytest.raises(InvalidError):
        SharedState().set(key, 1)


def test_keys_have_an_end() -> None:
    shared = SharedState()
    for number in range(MAX_KEYS):
        shared.set(str(number), number)
    with pytest.raises(TooLargeError):
        shared.set("one more", 1)
    shared.set("0", "known keys still work")


def test_a_watcher_is_told_in_its_lane_the_latest_value_only() -> None:
    store, lane = writable(0), Lane()
    seen: list[int] = []
    watched = watch(store, lane.submit)
    watched.subscribe(seen.append)
    lane.work()
    for number in range(1, 100):
        store.set(number)
    assert seen == [0]

    assert lane.work() == 1
    assert seen == [0, 99]
    assert watched.get() == 99


def test_a_watcher_that_fails_does_not_reach_the_one_who_sets() -> None:
    store, lane = writable(0), Lane()

    def explode(value: int) -> None:
        if value:
            raise ValueError(value)

    watch(store, lane.submit).subscribe(explode)
    store.set(1)

    with pytest.raises(ValueError, match="1"):
        lane.work()


def test_nobody_is_asked_when_the_last_watcher_has_gone() -> None:
    store, lane, kept = writable(0), Lane(), []

    def keep(undo: Callable[[], None]) -> Callable[[], None]:
        kept.append(undo)
        return undo

    undo = watch(store, lane.submit, keep).subscribe(print)
    assert kept == [undo]
    lane.work()
    undo()
    store.set(1)

    assert lane.work() == 0
