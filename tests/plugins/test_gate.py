"""Small parts that hold a plugin's way in and its undos."""

from __future__ import annotations

import threading
import time

import pytest

from corehost.contract.errors import ConflictError, DisabledError, HopLimitError
from corehost.messaging.trail import Trail, entered
from corehost.plugins.changes import Changes
from corehost.plugins.closers import Closers
from corehost.plugins.gate import Gate
from tests.plugins.workshop import ADMIN, Workshop


def test_a_closed_gate_lets_nobody_in_and_waits_for_who_is_inside() -> None:
    gate, go, inside = Gate("clock"), threading.Event(), threading.Event()

    def stay() -> None:
        with gate.entered():
            inside.set()
            go.wait(10)

    guest = threading.Thread(target=stay)
    guest.start()
    assert inside.wait(10)
    gate.close()
    with pytest.raises(DisabledError), gate.entered():
        pytest.fail("nobody may be here")
    assert not gate.wait_empty(time.monotonic())
    go.set()
    assert gate.wait_empty(time.monotonic() + 10)
    guest.join(10)


def test_undos_are_called_youngest_first_each_once_whatever_one_of_them_raises() -> None:
    closers, calls = Closers("clock"), list[str]()

    def explode() -> None:
        calls.append("explode")
        raise ValueError("boom")

    closers.keep(lambda: calls.append("first"))
    closers.keep(explode)
    early = closers.keep(lambda: calls.append("early"))
    early()
    early()
    assert len(closers) == 2
    with pytest.raises(ValueError, match="boom"):
        closers.close()

    assert calls == ["early", "explode", "first"]


def test_what_is_opened_too_late_is_undone_at_once() -> None:
    closers, calls = Closers("clock"), list[str]()
    closers.close()
    with pytest.raises(DisabledError):
        closers.keep(lambda: calls.append("undone"))

    assert calls == ["undone"]


def test_changes_are_done_in_order_even_if_one_fails_and_end_with_the_last() -> None:
    changes, done = Changes(), list[str]()
    failing = changes.submit(lambda: 1 / 0)
    changes.submit(lambda: done.append("second"))
    changes.close(lambda: done.append("last"))

    assert done == ["second", "last"]
    with pytest.raises(ZeroDivisionError):
        changes.wait(failing, None)
    with pytest.raises(ConflictError, match="stopping"):
        changes.submit(lambda: None)


def test_a_call_at_the_end_of_too_long_a_way_is_refused(workshop: Workshop) -> None:
    spec = "ApiSpec(version='1.0.0', methods={'a': Method(handler=lambda i, c: 1)})"
    body = f"@hookimpl\ndef corehost_api(): return {spec}\n"
    workshop.write("clock", body, permissions=("api:expose",))
    workshop.start()

    with entered(Trail(hops=31)):
        assert workshop.plugins.gateway.call("clock", "a", user=ADMIN) == 1
    with entered(Trail(hops=32)), pytest.raises(HopLimitError):
        workshop.plugins.gateway.call("clock", "a", user=ADMIN)


def test_the_message_at_hand_is_finished_before_unload(workshop: Workshop) -> None:
    workshop.write(
        "busy",
        """
        from threading import Event, Timer
        inside, go = Event(), Event()
        def handle(message):
            inside.set()
            go.wait(10)
            note("handled")
        @hookimpl
        def corehost_messages(): return MessagesSpec(handlers={"work": Handler(handle=handle)})
        @hookimpl
        def corehost_disable():
            inside.wait(10)
            Timer(0.2, go.set).start()
        @hookimpl
        def corehost_unload(): note("unload")
        """,
        permissions=("plugins:communicate",),
    )
    lifecycle = workshop.start(drain_seconds=10.0).lifecycle
    workshop.bus.send("busy:work")

    lifecycle.disable("busy")

    assert workshop.noted() == ["handled", "unload"]


def test_a_plugin_that_does_not_end_is_waited_for_no_longer_than_the_drain(workshop: Workshop) -> None:
    workshop.write(
        "busy",
        """
        from threading import Event
        inside = Event()
        def handle(message):
            inside.set()
            Event().wait(8)
        @hookimpl
        def corehost_messages(): return MessagesSpec(handlers={"work": Handler(handle=handle)})
        @hookimpl
        def corehost_disable(): inside.wait(10)
        """,
        permissions=("plugins:communicate",),
    )
    lifecycle = workshop.start(drain_seconds=0.2).lifecycle
    workshop.bus.send("busy:work")
    began = time.monotonic()

    lifecycle.disable("busy")

    assert time.monotonic() - began < 6
    assert workshop.faults.summary("busy")["errors"] == {"drain": 1}
