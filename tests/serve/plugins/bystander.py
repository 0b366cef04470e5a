"""Bystander: does its work beside others, and is asked whether it was disturbed."""

from __future__ import annotations

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
    return ApiSpec(version="1.0.0", methods={"echo": Method(handler=echo), "count": Method(handler=count)})


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
