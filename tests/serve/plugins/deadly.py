"""Deadly: ends the process on demand, in several ways."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

from corehost import (
    ApiSpec,
    Handler,
    Manifest,
    Message,
    MessagesSpec,
    Method,
    MethodContext,
    Route,
    RoutesSpec,
    SubscriptionSpec,
    hookimpl,
)


def die(input: Any, context: MethodContext) -> None:
    if input["how"] == "segfault":
        ctypes.string_at(0)
    os._exit(input["code"])


def die_hearing(message: Message) -> None:
    ctypes.string_at(0)


def die_serving() -> str:
    os._exit(9)


@hookimpl
def corehost_manifest() -> Manifest:
    return Manifest(
        id="deadly",
        name="Deadly",
        version="1.0.0",
        description="Ends the process on demand.",
        permissions=("routes:register", "api:expose", "plugins:communicate"),
    )


@hookimpl
def corehost_api() -> ApiSpec:
    return ApiSpec(version="1.0.0", methods={"die": Method(handler=die)})


@hookimpl
def corehost_routes() -> RoutesSpec:
    return RoutesSpec(base_path="/deadly", routes=(Route(path="/", view=die_serving),))


@hookimpl
def corehost_messages() -> MessagesSpec:
    heard = SubscriptionSpec(type="work:die", handler=Handler(handle=die_hearing))
    return MessagesSpec(subscriptions=(heard,))


if Path(__file__).with_suffix(".now").exists():  # a start that does not finish
    os._exit(4)
