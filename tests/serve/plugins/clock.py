"""Clock: the sample of the plugin guide, with a page, a method, a store, a message and a tick of its own."""

from __future__ import annotations

from typing import Any

from corehost import (
    ApiSpec,
    Handler,
    Manifest,
    MessageSchema,
    MessagesSpec,
    Method,
    MethodContext,
    NavigationItem,
    PluginContext,
    Route,
    RouteMeta,
    RoutesSpec,
    StoresSpec,
    hookimpl,
    writable,
)

zone = writable("UTC")


def now(input: dict[str, Any], context: MethodContext) -> dict[str, Any]:
    return {"zone": zone.get(), "caller": context.caller_id}


def show() -> str:
    return "<h1>Clock</h1>"


@hookimpl
def corehost_manifest() -> Manifest:
    return Manifest(
        id="clock",
        name="Clock",
        version="1.0.0",
        description="Tells the time.",
        permissions=("routes:register", "api:expose", "plugins:communicate", "storage:read", "storage:write"),
    )


@hookimpl
def corehost_api() -> ApiSpec:
    output = {"type": "object", "required": ["zone"]}
    method = Method(handler=now, description="The time.", input_schema={"type": "object"}, output_schema=output)
    return ApiSpec(version="1.0.0", methods={"now": method})


@hookimpl
def corehost_routes() -> RoutesSpec:
    return RoutesSpec(
        base_path="/clock",
        routes=(Route(path="/", view=show, meta=RouteMeta(title="Clock")),),
        navigation=(NavigationItem(id="clock", label="Clock", path="/clock"),),
    )


@hookimpl
def corehost_messages() -> MessagesSpec:
    return MessagesSpec(
        handlers={"ask": Handler(handle=lambda message: {"heard": message.payload}, priority=10)},
        schemas={"ask": MessageSchema(type="clock:ask", payload={"type": "object"}, expects_response=True)},
    )


@hookimpl
def corehost_stores() -> StoresSpec:
    return StoresSpec(writable={"zone": zone}, schemas={"zone": {"type": "string"}})


@hookimpl
def corehost_setup(context: PluginContext) -> None:
    zone.set(context.storage.get("zone") or "UTC")
    context.every(0.1, lambda: context.core.messages.send("clock:tick", {"zone": zone.get()}))
