"""Bystander: does its work beside others, and is asked whether it was disturbed."""

from __future__ import annotations

import threading
from typing import Any

from corehost import (
    ApiSpec,
    Handler,
    Manifest,
    MessagesSpec,
    Method,
    MethodContext,
    Route,
    RoutesSpec,
    SubscriptionSpec,
    hookimpl,
)

heard: list[Any] = []


def echo(input: Any, context: MethodContext) -> Any:
    return input


def count(input: Any, context: MethodContext) -> int:
    return len(heard)


def threads(input: Any, context: MethodContext) -> list[str]:
    """Name the threads of the process that the host and its plugins run in."""
    return sorted(thread.name for thread in threading.enumerate())


METHODS = {"echo": echo, "count": count, "threads": threads}


@hookimpl
def corehost_manifest() -> Manifest:
    return Manifest(
        id="bystander",
        name="Bystander",
        version="1.0.0",
        description="Works beside others.",
        permissions=("routes:register", "api:expose", "plugins:communicate"),
    )


@hookimpl
def corehost_api() -> ApiSpec:
    return ApiSpec(version="1.0.0", methods={name: Method(handler=work) for name, work in METHODS.items()})


@hookimpl
def corehost_routes() -> RoutesSpec:
    return RoutesSpec(base_path="/bystander", routes=(Route(path="/", view=lambda: "<p>here</p>"),))


@hookimpl
def corehost_messages() -> MessagesSpec:
    return MessagesSpec(
        handlers={"ping": Handler(handle=lambda message: {"pong": message.payload})},
        subscriptions=(
            SubscriptionSpec(type="work:*", handler=Handler(handle=lambda message: heard.append(message.payload))),
            SubscriptionSpec(type="rogue:flood", handler=Handler(handle=lambda message: None)),
        ),
    )
