"""Clock: a plugin with a page, settings and a store, and one that others need."""

from __future__ import annotations

from typing import Any

from corehost import (
    ApiSpec,
    ConfigProperty,
    ConfigSchema,
    Manifest,
    Method,
    MethodContext,
    NavigationItem,
    PluginContext,
    Route,
    RouteMeta,
    RoutesSpec,
    hookimpl,
)


class Clock:
    """What one load works with."""

    context: PluginContext


_clock = Clock()


@hookimpl
def corehost_manifest() -> Manifest:
    return Manifest(
        id="clock",
        name="Clock",
        version="1.2.3",
        description="Tells the time.",
        icon="clock",
        permissions=("routes:register", "api:expose", "plugins:communicate"),
        config_schema=ConfigSchema(
            properties={
                "zone": ConfigProperty(type="string", title="Zone", default="UTC"),
                "interval": ConfigProperty(type="number", title="Interval", default=30, minimum=5),
                "key": ConfigProperty(type="string", title="Key", secret=True),
            }
        ),
    )


@hookimpl
def corehost_setup(context: PluginContext) -> None:
    _clock.context = context


@hookimpl
def corehost_api() -> ApiSpec:
    def now(input: Any, context: MethodContext) -> dict[str, Any]:
        return {"items": [{"label": "Zone", "value": _clock.context.config["zone"]}]}

    return ApiSpec(version="1.0.0", methods={"now": Method(handler=now)})


@hookimpl
def corehost_routes() -> RoutesSpec:
    return RoutesSpec(
        base_path="/clock",
        routes=(Route(path="/", view=lambda: "<h1>What time is it?</h1>", meta=RouteMeta(title="Clock")),),
        navigation=(NavigationItem(id="clock", label="Clock", path="/clock", icon="clock", badge=12, order=5),),
    )


@hookimpl(optionalhook=True)
def dashboard_widgets(user: Any) -> list[dict[str, Any]]:
    return [{"id": "zone", "type": "statistics", "title": "Zone", "method": "now", "updates": ["clock:tick"]}]
