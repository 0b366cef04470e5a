"""Victim: fails in a chosen way at a chosen place; both are written at the head of this file by the test."""

import ctypes
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corehost import (
    ApiSpec,
    Handler,
    Manifest,
    MessagesSpec,
    Method,
    PluginContext,
    Route,
    RoutesSpec,
    StoresSpec,
    hookimpl,
    writable,
)

PLACE, FAULT = "nowhere", "none"
store = writable(0)
contexts: list[PluginContext] = []


class DeepError(Exception):
    """Says too much."""


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def loop() -> None:
    while True:
        pass


def hold() -> None:
    re.match(r"(a+)+$", "a" * 40 + "b")  # one call that no other thread gets into


def flood_output() -> None:
    while True:
        sys.stdout.write("x" * 1_000 + "\n")


def flood_store() -> None:
    for number in range(1_000_000):
        store.set(number)


def flood_disk() -> None:
    for number in range(200):
        (Path(os.environ["TMPDIR"]) / f"{number}").write_bytes(b"x" * 10_000_000)
    time.sleep(60)


def lines() -> list[socket.socket]:
    found = []
    for number in range(3, 64):
        try:
            found.append(socket.socket(fileno=os.dup(number)))
        except OSError:
            continue
    return found


def talk_nonsense() -> None:
    for each in lines():
        try:
            each.sendall(b"\x00\x00\x00\x05hello")
        except OSError:
            continue
    time.sleep(60)


def talk_without_end() -> None:
    for each in lines():
        try:
            each.sendall(b"\xff\xff\xff\xff")
        except OSError:
            continue
    time.sleep(60)


def hang_up() -> None:
    os.closerange(3, 64)
    time.sleep(60)


def threads() -> None:
    gate = threading.Event()
    for _ in range(100_000):
        threading.Thread(target=gate.wait, daemon=True).start()


def recurse() -> None:
    recurse()


def raises(error: BaseException) -> None:
    raise error


FAULTS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "raises": lambda: raises(ValueError("no")),
    "raises what is no exception": lambda: raises(KeyboardInterrupt("no")),
    "raises a text of megabytes": lambda: raises(DeepError("x" * 3_000_000)),
    "leaves": lambda: sys.exit(3),
    "leaves at once": lambda: os._exit(3),
    "is killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "crashes": lambda: ctypes.string_at(0),
    "aborts": os.abort,
    "sleeps": lambda: time.sleep(60),
    "computes": loop,
    "holds the interpreter": hold,
    "takes all memory": lambda: [bytearray(10_000_000) for _ in range(1_000)],
    "recurses": recurse,
    "floods the log": flood_output,
    "floods a store": flood_store,
    "floods the disk": flood_disk,
    "starts threads": threads,
    "returns megabytes": lambda: "x" * 3_000_000,
    "returns what is no JSON": lambda: object(),
    "returns what is nested": lambda: nested(10_000),
    "talks nonsense": talk_nonsense,
    "announces gigabytes": talk_without_end,
    "hangs up": hang_up,
}


def at(place: str) -> Any:
    return FAULTS[FAULT]() if place == PLACE else None


def page() -> str:
    return str(at("page"))


@hookimpl
def corehost_manifest() -> Manifest:
    asked = ("api:expose", "routes:register", "plugins:communicate")
    return Manifest(id="victim", name="Victim", version="1.0.0", description="", permissions=asked, enabled=False)


@hookimpl
def corehost_api() -> ApiSpec:
    at("declaration")
    return ApiSpec(version="1.0.0", methods={"fail": Method(handler=lambda input, context: at("method"))})


@hookimpl
def corehost_routes() -> RoutesSpec:
    return RoutesSpec(base_path="/victim", routes=(Route(path="/", view=page),))


@hookimpl
def corehost_messages() -> MessagesSpec:
    return MessagesSpec(handlers={"ask": Handler(handle=lambda message: at("handler"))})


@hookimpl
def corehost_stores() -> StoresSpec:
    return StoresSpec(writable={"number": store})


@hookimpl
def corehost_before_load() -> None:
    at("before_load")


@hookimpl
def corehost_setup(context: PluginContext) -> None:
    contexts.append(context)
    context.core.messages.subscribe("test:tell", lambda message: at("subscription"))
    if PLACE == "timer":
        context.later(0.01, lambda: at("timer"))
    if PLACE == "thread":
        context.spawn(lambda: at("thread"))
    at("setup")


@hookimpl
def corehost_load() -> None:
    at("load")


@hookimpl
def corehost_enable() -> None:
    at("enable")


@hookimpl
def corehost_disable() -> None:
    at("disable")


@hookimpl
def corehost_unload() -> None:
    at("unload")


@hookimpl
def corehost_teardown() -> None:
    at("teardown")


@hookimpl
def corehost_error(error: Exception) -> None:
    at("error")


at("import")
