from __future__ import annotations

import threading
from functools import partial

import pytest

from corehost.contract.errors import InvalidError, PermissionDeniedError
from corehost.messaging.events import Events
from corehost.messaging.lanes import Lanes
from tests.messaging.witness import Account, Gate, ignore


@pytest.fixture
def events(lanes: Lanes) -> Events:
    for owner in ("a", "b"):
        lanes.open(owner)
    return Events(lanes)


def test_an_event_is_told_in_the_lane_of_each_who_hears_it(events: Events, lanes: Lanes, account: Account) -> None:
    heard: list[tuple[str, object]] = []

    def hear(owner: str, data: object) -> None:
        assert threading.current_thread().name.startswith("corehost-lane")
        heard.append((owner, data))

    for owner, pattern in (("a", "plugin:enabled"), ("b", "plugin:*"), ("b", "config:changed")):
        events.scoped(owner).on(pattern, partial(hear, owner))
    events.emit("plugin:enabled", {"id": "clock"})
    lanes.drain()
    assert sorted(owner for owner, _ in heard) == ["a", "b"]
    assert [data for _, data in heard] == [{"id": "clock"}] * 2
    assert account.charges == []


def test_off_and_the_undo_end_it(events: Events, lanes: Lanes) -> None:
    heard: list[object] = []
    scoped = events.scoped("a")
    undo = scoped.on("e", heard.append)
    scoped.on("f", heard.append)
    events.scoped("b").on("f", heard.append)

    undo()
    undo()
    scoped.off("f", heard.append)
    scoped.off("never", heard.append)
    events.emit("e", 1)
    events.emit("f", 2)
    lanes.drain()

    assert heard == [2]  # b's own is untouched
    assert (events.count("a"), events.count("b")) == (0, 1)
    events.leave("b")
    assert events.count("b") == 0


def test_what_waits_in_the_lane_is_not_told_after_off(events: Events, lanes: Lanes, gate: Gate) -> None:
    heard: list[object] = []
    lanes.submit("a", gate)
    gate.await_visitor()
    undo = events.scoped("a").on("e", heard.append)
    events.emit("e")
    undo()
    gate.open()
    lanes.drain()
    assert heard == []


def test_a_handler_that_raises_is_charged(events: Events, lanes: Lanes, account: Account) -> None:
    events.scoped("a").on("e", lambda _: 1 / 0)
    events.emit("e")
    lanes.drain()
    assert [(charge.owner, charge.where) for charge in account.charges] == [("a", "event")]


def test_a_plugin_emits_under_its_own_name_only(events: Events, lanes: Lanes) -> None:
    heard: list[object] = []
    events.scoped("b").on("a:*", heard.append)
    events.scoped("a").emit("a:ready", {"n": 1})
    for event in ("plugin:enabled", "b:ready", "a", "ab:ready"):
        with pytest.raises(PermissionDeniedError, match="may not emit"):
            events.scoped("a").emit(event)
    with pytest.raises(InvalidError):
        events.scoped("a").emit("a:ready", object())
    lanes.drain()
    assert heard == [{"n": 1}]


def test_handlers_of_an_owner_that_left_are_forgotten(lanes: Lanes) -> None:
    events = Events(lanes)
    close = lanes.open("a")
    events.scoped("a").on("e", ignore)
    close()
    events.emit("e")
    assert events.count("a") == 0
    assert len(lanes.letters) == 0
