"""A plugin that spends more than its budgets is throttled, then quarantined with the evidence, and tried again."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pytest

from corehost.contract.budgets import read_budget
from corehost.contract.errors import BusyError
from tests.messaging.witness import eventually
from tests.plugins.workshop import Workshop, needs

ALL = ("api:expose", "plugins:communicate")
FAILING = """
def fail(message): raise ValueError("a fault of its own")

@hookimpl
def corehost_messages():
    return MessagesSpec(handlers={"fail": Handler(handle=fail)})
"""
STUCK = """
import threading
go_on = threading.Event()

def hear(message):
    wait_for_it()

def wait_for_it():
    go_on.wait(10)

@hookimpl
def corehost_messages():
    return MessagesSpec(handlers={"hear": Handler(handle=hear)})

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={"free": Method(handler=lambda input, context: go_on.set())})
"""
STUCK_COROUTINE = """
import asyncio

async def hear(message):
    await asyncio.sleep(2)

@hookimpl
def corehost_messages():
    return MessagesSpec(handlers={"hear": Handler(handle=hear)})
"""
SLOW = """
import threading
gate = threading.Semaphore(0)

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={
        "wait": Method(handler=lambda input, context: gate.acquire(timeout=20)),
        "free": Method(handler=lambda input, context: gate.release(int(input))),
    })
"""


class Told:
    """The messages of the host about one plugin."""

    def __init__(self, workshop: Workshop, plugin_id: str) -> None:
        self.payloads: dict[str, list[dict[str, Any]]] = {}
        self._id = plugin_id
        workshop.bus.subscribe("core:plugin:*", self._hear)

    def _hear(self, message: Any) -> None:
        if message.payload["id"] == self._id:
            self.payloads.setdefault(message.type.rpartition(":")[2], []).append(message.payload)

    def wait(self, what: str, count: int = 1) -> list[dict[str, Any]]:
        eventually(lambda: len(self.payloads.get(what, [])) >= count)
        return self.payloads[what]


@pytest.fixture
def strict(workshop: Workshop) -> Workshop:
    """A host on which nothing may be spent but a little, and every pause is short."""
    budgets = tuple(map(read_budget, ("errors=5", "easy:errors=1000", "overflow=500", "blocked=off")))
    workshop.build(budgets=budgets, quarantine_seconds=0.3, throttle_seconds=60.0)
    return workshop


def fail(workshop: Workshop, plugin_id: str, times: int) -> None:
    for _ in range(times):
        workshop.bus.send(f"{plugin_id}:fail")
    workshop.bus.drain(30)


def test_who_fails_too_often_is_throttled_then_quarantined_with_the_evidence_and_tried_again(
    strict: Workshop,
) -> None:
    strict.write("faulty", FAILING, permissions=ALL)
    strict.write("leaning", dependencies=needs("faulty"))
    plugins, told = strict.start(), Told(strict, "faulty")

    fail(strict, "faulty", 5)
    assert plugins.oversight.account("faulty")["throttled"] is None
    fail(strict, "faulty", 1)
    [throttled] = told.wait("throttled")
    assert throttled["reason"] == "It has spent its budget of 5 errors a minute"
    assert plugins.oversight.account("faulty")["throttled"] == throttled["reason"]
    fail(strict, "faulty", 5)  # it begins anew, once
    assert strict.status("faulty") == "enabled"

    fail(strict, "faulty", 1)
    [error] = told.wait("error")
    assert error["error"].startswith("Quarantined: It has spent its budget of 5 errors a minute, and again while")
    assert "tried again in 0.3 s" in error["error"]
    account = plugins.oversight.account("faulty")
    assert account["errors"]["handler"] == 12
    assert account["faults"][-1]["error"] == "ValueError: a fault of its own"
    assert "faulty.py:" in account["faults"][-1]["place"]

    told.wait("enabled")  # by itself, with what needs it
    eventually(lambda: strict.status("leaning") == "enabled")
    assert plugins.oversight.account("faulty")["quarantined"] is None
    assert plugins.oversight.account("faulty")["throttled"] is None


def test_what_needs_a_quarantined_plugin_is_off_with_a_reason_that_names_it_and_back_when_somebody_brings_it_back(
    workshop: Workshop,
) -> None:
    workshop.write("faulty", FAILING, permissions=ALL)
    workshop.write("leaning", dependencies=needs("faulty"))
    plugins = workshop.start(quarantine_seconds=600.0)
    plugins.faults.quarantine("faulty", "It was asked for.")
    eventually(lambda: workshop.status("faulty") == workshop.status("leaning") == "error")

    assert "'faulty', which failed: Quarantined: It was asked for." in workshop.error("leaning")
    eventually(lambda: plugins.oversight.account("faulty")["quarantined"]["retryAt"] is not None)
    state = plugins.oversight.account("faulty")["quarantined"]
    assert (state["reason"], state["times"]) == ("It was asked for.", 1)
    assert state["retryAt"] > state["since"] + 500

    plugins.lifecycle.enable("faulty")
    eventually(lambda: workshop.status("leaning") == "enabled")
    assert plugins.oversight.account("faulty")["quarantined"] is None


def test_a_budget_of_its_own_lets_a_plugin_do_more(strict: Workshop) -> None:
    strict.write("easy", FAILING, permissions=ALL)
    plugins = strict.start()

    fail(strict, "easy", 50)

    account = plugins.oversight.account("easy")
    assert (account["throttled"], account["errors"]) == (None, {"handler": 50})
    assert account["budgets"]["errors"]["limit"] == 1000
    assert 40 < account["budgets"]["errors"]["used"] <= 50


def test_a_throttled_plugin_works_on_two_calls_at_once_and_is_free_after_its_minute(workshop: Workshop) -> None:
    workshop.write("slow", SLOW, permissions=ALL)
    plugins = workshop.start(throttle_seconds=1.0)
    told = Told(workshop, "slow")
    plugins.oversight.containment.throttle("slow", "It was asked for.")
    waiting = [plugins.gateway.submit("slow", "wait", caller="core") for _ in range(2)]
    with pytest.raises(BusyError, match="2 calls"):
        plugins.gateway.call("slow", "wait", caller="core")

    told.wait("released")
    plugins.gateway.call("slow", "free", 2, caller="core")
    assert [call.result(10) for call in waiting] == [True, True]
    assert plugins.oversight.account("slow")["throttled"] is None


def test_a_throttled_plugin_may_send_little_until_its_minute_is_over(strict: Workshop) -> None:
    strict.write("flooding", SENDER, permissions=ALL)
    strict.write("hearer", permissions=ALL)
    plugins = strict.start()
    strict.call("flooding", "flood")
    plugins.oversight.containment.throttle("flooding", "It was asked for")

    with pytest.raises(BusyError, match="throttled: It was asked for"):
        strict.call("flooding", "flood")
    plugins.lifecycle.reload("flooding")
    strict.call("flooding", "flood")


def test_a_throttled_lane_rests_and_goes_at_once_when_its_plugin_is_unloaded(workshop: Workshop) -> None:
    workshop.write("clock", FAILING, permissions=ALL)
    plugins = workshop.start()
    plugins.oversight.containment.throttle("clock", "It was asked for.")

    fail(workshop, "clock", 1)
    plugins.lifecycle.disable("clock")

    assert workshop.status("clock") == "disabled"


@pytest.mark.parametrize(("code", "place"), [(STUCK, "wait_for_it"), (STUCK_COROUTINE, "hear")])
def test_a_lane_that_is_stuck_shows_where_in_the_plugins_own_code(workshop: Workshop, code: str, place: str) -> None:
    workshop.write("stuck", code, permissions=ALL)
    plugins = workshop.start()
    told = Told(workshop, "stuck")

    message = workshop.bus.send("stuck:hear")
    [blocked] = told.wait("blocked")

    assert (blocked["message"], blocked["type"], blocked["where"]) == (message.id, "stuck:hear", "handler")
    assert blocked["stack"][0].startswith(str(workshop.folder / "stuck.py"))
    assert any(f"in {place}: " in line for line in blocked["stack"])
    account = plugins.oversight.account("stuck")
    assert account["stuck"][0]["stack"] == blocked["stack"]
    if code is STUCK:
        assert account["blocked"] is not None
        workshop.call("stuck", "free")
    eventually(lambda: plugins.oversight.account("stuck")["blocked"] is None)
    assert plugins.oversight.account("stuck")["stuck"][0]["seconds"] >= 1.0


SENDER = """
kept = []

@hookimpl
def corehost_setup(context): kept.append(context)

def flood(input, context):
    for number in range(3_000):
        kept[0].core.messages.send("hearer:hear", number)

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={"flood": Method(handler=flood)})
"""
HEARER = """
import threading
gate = threading.Event()

@hookimpl
def corehost_messages():
    return MessagesSpec(handlers={"hear": Handler(handle=lambda message: gate.wait(message.payload and 0.3))})
"""


def test_who_sends_more_than_can_be_handled_pays_for_what_is_lost(strict: Workshop) -> None:
    strict.write("flooding", SENDER, permissions=ALL)
    strict.write("hearer", HEARER, permissions=ALL)
    plugins, told = strict.start(), Told(strict, "flooding")

    with suppress(BusyError):  # on a slow machine it is throttled before it has sent all
        strict.call("flooding", "flood")

    [throttled] = told.wait("throttled")
    assert throttled["reason"] == "It has spent its budget of 500 overflow a minute"
    account = plugins.oversight.account("flooding")
    assert account["errors"]["overflow"] > 500
    assert "found no room in the lane of 'hearer'" in account["last"]["error"]
    assert plugins.oversight.account("hearer")["errors"] == {}


def test_who_stood_still_pays_for_what_it_had_no_room_for(strict: Workshop) -> None:
    strict.write("flooding", SENDER, permissions=ALL)
    strict.write("hearer", STUCK, permissions=ALL)
    plugins, told = strict.start(), Told(strict, "hearer")
    strict.bus.send("hearer:hear")
    told.wait("blocked")

    with suppress(BusyError):  # on a slow machine it is throttled before it has sent all
        strict.call("flooding", "flood")

    told.wait("throttled")
    assert "its lane stood still" in plugins.oversight.account("hearer")["last"]["error"]
    assert plugins.oversight.account("flooding")["errors"] == {}
    strict.call("hearer", "free")


def test_a_plugin_that_keeps_to_its_budgets_is_left_alone(workshop: Workshop) -> None:
    workshop.write("clock", FAILING.replace("raise", "return"), permissions=ALL)
    plugins = workshop.start()
    heard = threading.Event()
    workshop.bus.subscribe("core:plugin:throttled", lambda message: heard.set())

    fail(workshop, "clock", 3_000)

    account = plugins.oversight.account("clock")
    assert (account["throttled"], account["quarantined"], heard.is_set()) == (None, None, False)
    assert account["figures"]["handler"]["recent"]["p99"] < 0.25
