"""Methods and stores of plugins, called by users and by other plugins."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import pytest

from corehost import PermissionSet, Signal, UserContext
from corehost.contract.errors import (
    BusyError,
    ConflictError,
    CorehostError,
    DisabledError,
    HopLimitError,
    InvalidError,
    LateError,
    MethodNotFoundError,
    NotFoundError,
    PermissionDeniedError,
    PluginFaultError,
)
from corehost.messaging.trail import Trail, entered
from tests.plugins.workshop import ADMIN, Workshop

CLOCK = """
import time, threading
zone = writable("UTC")
upper = derived(zone, lambda value: value.upper())
level = writable(1)
shout = derived(level, lambda value: {} if value > 5 else {"level": value})
GO = threading.Event()

def who(input, context):
    return {"caller": context.caller_id, "user": context.user and context.user.id}

def refuse(input, context):
    raise NotFoundError("no such zone")

def wait(input, context):
    context.signal.wait(input)
    note("aborted" if context.signal.aborted else "waited")
    GO.wait(10)

def again(input, context):
    return CONTEXT.core.plugins.call("clock", "again")

async def slowly(input, context):
    import asyncio
    await asyncio.sleep(0)
    return {"user": context.user and context.user.id}

def rude(input, context):
    raise SystemExit("bye")

@hookimpl
def corehost_setup(context):
    global CONTEXT
    CONTEXT = context

@hookimpl
def corehost_api():
    number = {"type": "number"}
    return ApiSpec(version="1.0.0", methods={
        "who": Method(handler=who),
        "double": Method(handler=lambda i, c: i * 2, input_schema=number, output_schema=number),
        "lies": Method(handler=lambda i, c: "text", output_schema=number),
        "boom": Method(handler=lambda i, c: 1 / 0),
        "no_json": Method(handler=lambda i, c: object()),
        "refuse": Method(handler=refuse), "wait": Method(handler=wait), "again": Method(handler=again),
        "slowly": Method(handler=slowly), "rude": Method(handler=rude),
        "special": Method(handler=who, permissions=("clock:special",)),
        "go": Method(handler=lambda i, c: GO.set()),
    })

@hookimpl
def corehost_stores():
    return StoresSpec(readable={"upper": upper, "shout": shout}, writable={"zone": zone, "level": level},
                      schemas={"zone": {"type": "string"}, "shout": {"type": "object", "required": ["level"]}})
"""
CALLER = """
@hookimpl
def corehost_setup(context):
    global CONTEXT
    CONTEXT = context

def forward(input, context):
    return CONTEXT.core.plugins.call(*input)

def follow(input, context):
    CONTEXT.core.plugins.get("clock").stores["zone"].subscribe(lambda value: note(f"zone {value}"))

def put(input, context):
    CONTEXT.core.plugins.get("clock").stores["zone"].set(input)

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={
        "forward": Method(handler=forward), "follow": Method(handler=follow), "put": Method(handler=put)})
"""
USER = UserContext(id="ann", permissions=PermissionSet({"plugin:clock:use", "plugin:caller:use"}))
TALK = ("api:expose", "plugins:communicate")


@pytest.fixture
def clock(workshop: Workshop) -> Workshop:
    workshop.write("clock", CLOCK, permissions=TALK)
    workshop.write("caller", CALLER, permissions=TALK)
    workshop.start()
    assert workshop.status("clock") == "enabled", workshop.error("clock")
    return workshop


def call(clock: Workshop, method: str, input: Any = None, **who: Any) -> Any:
    return clock.plugins.gateway.call("clock", method, input, **(who or {"user": ADMIN}))


def test_a_method_gets_its_input_and_its_output_comes_back(clock: Workshop) -> None:
    assert call(clock, "double", 21) == 42


def test_input_is_checked_before_the_method_runs(clock: Workshop) -> None:
    with pytest.raises(InvalidError, match=r"clock\.double"):
        call(clock, "double", "twenty")
    with pytest.raises(InvalidError):
        call(clock, "who", {"not": {1, 2}})


@pytest.mark.parametrize(
    ("method", "error", "text", "charged"),
    [
        ("lies", PluginFaultError, "broke its output schema", 1),
        ("no_json", PluginFaultError, "no JSON value", 1),
        ("boom", PluginFaultError, "ZeroDivisionError", 1),
        ("rude", PluginFaultError, "SystemExit: bye", 1),
        ("refuse", NotFoundError, "no such zone", 0),
        ("wo", MethodNotFoundError, "Did you mean 'who'", 0),
    ],
)
def test_each_way_to_fail_has_its_own_error(
    clock: Workshop, method: str, error: type[CorehostError], text: str, charged: int
) -> None:
    with pytest.raises(error, match=text):
        call(clock, method)
    assert clock.faults.summary("clock")["errors"].get("method", 0) == charged


def test_who_is_unknown_or_off_is_told_apart(clock: Workshop) -> None:
    with pytest.raises(NotFoundError):
        clock.plugins.gateway.call("nobody", "who", user=ADMIN)
    clock.plugins.lifecycle.disable("clock")
    with pytest.raises(DisabledError):
        call(clock, "who")


def test_a_user_needs_use_or_what_the_method_asks(clock: Workshop) -> None:
    nobody = UserContext(id="bob")
    with pytest.raises(PermissionDeniedError, match="plugin:clock:use"):
        call(clock, "who", user=nobody)
    assert call(clock, "who", user=USER) == {"caller": None, "user": None}
    with pytest.raises(PermissionDeniedError, match="clock:special"):
        call(clock, "special", user=USER)
    assert clock.faults.summary("users")["refusals"] == {"plugin:clock:use": 1, "clock:special": 1}


def test_whoever_names_neither_caller_nor_user_is_refused(clock: Workshop) -> None:
    with pytest.raises(PermissionDeniedError):
        clock.plugins.gateway.call("clock", "who")
    assert clock.plugins.gateway.call("clock", "who", caller="core") == {"caller": None, "user": None}


def test_a_plugin_calls_with_its_own_grants_and_those_of_the_user_behind(clock: Workshop) -> None:
    forward = ["clock", "who"]
    gateway = clock.plugins.gateway
    assert gateway.call("caller", "forward", forward, user=USER) == {"caller": "caller", "user": None}

    stranger = UserContext(id="bob", permissions=PermissionSet({"plugin:caller:use"}))
    with pytest.raises(PermissionDeniedError, match="user:bob"):
        gateway.call("caller", "forward", forward, user=stranger)
    with pytest.raises(PermissionDeniedError, match=r"Plugin 'caller' may not call clock\.special"):
        gateway.call("caller", "forward", ["clock", "special"], user=ADMIN)


def test_a_plugin_without_the_permission_to_communicate_cannot_call(workshop: Workshop) -> None:
    workshop.write("clock", CLOCK, permissions=TALK)
    workshop.write("caller", CALLER, permissions=("api:expose",))
    workshop.start()

    with pytest.raises(PermissionDeniedError, match="plugins:communicate"):
        workshop.call("caller", "forward", ["clock", "who"])
    assert workshop.faults.summary("caller")["refusals"] == {"plugins:communicate": 1}


def test_the_user_is_told_only_to_plugins_that_may_read_users(workshop: Workshop) -> None:
    workshop.write("clock", CLOCK, permissions=(*TALK, "user:read"))
    workshop.start()

    assert call(workshop, "who", user=USER)["user"] == "ann"
    assert call(workshop, "slowly", user=USER) == {"user": "ann"}


def test_a_late_method_is_told_that_nobody_waits(clock: Workshop) -> None:
    with pytest.raises(LateError):
        clock.plugins.gateway.call("clock", "wait", 60, user=ADMIN, timeout=0.2)
    call(clock, "go")
    wait_for(lambda: clock.noted() == ["aborted"])


def test_a_nested_call_has_no_more_time_than_whoever_waits(clock: Workshop) -> None:
    began = time.monotonic()
    with entered(Trail(deadline=began)), pytest.raises(LateError):
        clock.plugins.gateway.call("clock", "wait", 60, user=ADMIN, timeout=20)
    call(clock, "go")

    assert time.monotonic() - began < 10


def test_methods_that_call_each_other_without_end_are_stopped(clock: Workshop) -> None:
    with pytest.raises((HopLimitError, BusyError)):
        call(clock, "again")


def test_stuck_calls_make_the_plugin_busy_and_nothing_else(clock: Workshop) -> None:
    for _ in range(32):
        with pytest.raises(LateError):
            clock.plugins.gateway.call("clock", "wait", 0, user=ADMIN, timeout=0.01)

    with pytest.raises(BusyError):
        call(clock, "who")
    assert clock.call("caller", "follow") is None


def test_stores_are_read_and_written_by_permission(clock: Workshop) -> None:
    gateway = clock.plugins.gateway
    assert gateway.read_store("clock", "zone", user=USER)[0] == "UTC"
    with pytest.raises(PermissionDeniedError, match="plugin:clock:manage"):
        gateway.write_store("clock", "zone", "CET", user=USER)

    value, version = gateway.write_store("clock", "zone", "cet", user=ADMIN)

    assert (value, version) == gateway.read_store("clock", "zone", user=ADMIN)
    assert gateway.read_store("clock", "upper", user=ADMIN)[0] == "CET"
    with pytest.raises(InvalidError):
        gateway.write_store("clock", "zone", 3, user=ADMIN)
    with pytest.raises(ConflictError):
        gateway.write_store("clock", "upper", "X", user=ADMIN)
    with pytest.raises(NotFoundError):
        gateway.read_store("clock", "nothing", user=ADMIN)


def test_a_computed_store_that_breaks_its_schema_is_the_plugins_fault(clock: Workshop) -> None:
    gateway = clock.plugins.gateway
    assert gateway.read_store("clock", "shout", user=ADMIN)[0] == {"level": 1}
    gateway.write_store("clock", "level", 6, user=ADMIN)

    with pytest.raises(PluginFaultError, match="breaks its schema"):
        gateway.read_store("clock", "shout", user=ADMIN)


def test_whoever_follows_a_store_goes_on_when_its_plugin_comes_back(clock: Workshop) -> None:
    store = clock.plugins.gateway.store("clock", "zone")
    seen: list[tuple[Any, int]] = []
    store.subscribe(lambda _: seen.append(store.snapshot()))
    clock.plugins.gateway.write_store("clock", "zone", "CET", user=ADMIN)

    clock.plugins.lifecycle.disable("clock")
    with pytest.raises(DisabledError):
        store.get()
    clock.plugins.lifecycle.enable("clock")
    clock.plugins.gateway.write_store("clock", "zone", "JST", user=ADMIN)

    assert [value for value, _ in seen] == ["UTC", "CET", "UTC", "JST"]
    versions = [version for _, version in seen]
    assert versions == sorted(set(versions))


def test_a_plugin_follows_anothers_store_in_its_own_lane(clock: Workshop) -> None:
    clock.call("caller", "follow")
    clock.plugins.gateway.write_store("clock", "zone", "CET", user=ADMIN)
    clock.bus.drain()
    assert clock.noted() == ["zone UTC", "zone CET"]

    clock.plugins.lifecycle.disable("caller")
    clock.plugins.gateway.write_store("clock", "zone", "JST", user=ADMIN)
    clock.bus.drain()
    assert clock.noted() == ["zone UTC", "zone CET"]


def test_a_plugin_sets_anothers_store_only_if_it_may_manage_it(workshop: Workshop) -> None:
    workshop.write("clock", CLOCK, permissions=TALK)
    workshop.write("caller", CALLER, permissions=TALK)
    workshop.write("boss", CALLER, permissions=(*TALK, "plugin:clock:manage"))
    workshop.start()

    with pytest.raises(PermissionDeniedError, match="Plugin 'caller'"):
        workshop.call("caller", "put", "CET")
    workshop.call("boss", "put", "CET")
    assert workshop.plugins.gateway.read_store("clock", "zone", user=ADMIN)[0] == "CET"


def wait_for(condition: Any) -> None:
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.01)
    assert condition()


def test_a_signal_without_a_deadline_waits_as_long_as_asked() -> None:
    assert Signal().wait(0.0) is False


def test_of_writers_who_read_the_same_version_one_wins(clock: Workshop) -> None:
    gateway = clock.plugins.gateway
    won = 0

    def write(version: int, barrier: threading.Barrier, wins: list[int]) -> None:
        barrier.wait(10)
        with contextlib.suppress(ConflictError):
            gateway.write_store("clock", "level", version + 2, version=version, user=ADMIN)
            wins.append(version)

    for _ in range(20):
        version = gateway.read_store("clock", "level", user=ADMIN)[1]
        barrier, wins = threading.Barrier(4), list[int]()
        writers = [threading.Thread(target=write, args=(version, barrier, wins)) for _ in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(10)
        won += len(wins)
    assert won == 20
