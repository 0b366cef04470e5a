"""Rogue: raises, sleeps and floods on demand."""

from __future__ import annotations

import threading
from typing import Any

from corehost import (
    ApiSpec,
    Handler,
    Manifest,
    Message,
    MessagesSpec,
    Method,
    MethodContext,
    PluginContext,
    Route,
    RoutesSpec,
    SubscriptionSpec,
    hookimpl,
)

FLOOD = 100_000
never = threading.Event()
contexts: list[PluginContext] = []
sent: list[int] = []


def explode(message: Message) -> None:
    raise RuntimeError("a fault of the plugin's own")


def doze(message: Message) -> None:
    never.wait(10)


def dozing_page() -> str:
    never.wait(10)
    return "<p>slept</p>"


def flood(input: Any, context: MethodContext) -> str:
    def pour() -> None:
        for number in range(FLOOD):
            contexts[-1].core.messages.send("rogue:flood", number)
        sent.append(FLOOD)

    contexts[-1].spawn(pour)
    return "begun"


def raising_page() -> str:
    raise RuntimeError("a fault of the page")


@hookimpl
def corehost_manifest() -> Manifest:
    return Manifest(
        id="rogue",
        name="Rogue",
        version="1.0.0",
        description="Misbehaves on demand.",
        permissions=("routes:register", "api:expose", "plugins:communicate"),
    )


@hookimpl
def corehost_api() -> ApiSpec:
    return ApiSpec(
        version="1.0.0",
        methods={
            "flood": Method(handler=flood),
            "flooded": Method(handler=lambda input, context: bool(sent)),
        },
    )


@hookimpl
def corehost_routes() -> RoutesSpec:
    return RoutesSpec(
        base_path="/rogue",
        routes=(Route(path="/doze", view=dozing_page), Route(path="/raise", view=raising_page)),
    )


@hookimpl
def corehost_messages() -> MessagesSpec:
    return MessagesSpec(
        subscriptions=(
            SubscriptionSpec(type="work:raise", handler=Handler(handle=explode)),
            SubscriptionSpec(type="work:doze", handler=Handler(handle=doze)),
        )
    )


@hookimpl
def corehost_setup(context: PluginContext) -> None:
    contexts.append(context)
