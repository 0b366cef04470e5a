"""Spring: pours out messages by the thousand."""

from __future__ import annotations

from typing import Any

from corehost import ApiSpec, Manifest, Method, MethodContext, PluginContext, hookimpl

contexts: list[PluginContext] = []


def pour(input: dict[str, Any], context: MethodContext) -> list[int]:
    """Send ``count`` messages of ``type``, as fast as can be, and return the ``seq`` of each."""
    send = contexts[-1].core.messages.send
    return [send(input["type"], {"n": number}).seq for number in range(input["count"])]


@hookimpl
def corehost_manifest() -> Manifest:
    return Manifest(
        id="spring",
        name="Spring",
        version="1.0.0",
        description="Pours out messages.",
        permissions=("api:expose", "plugins:communicate"),
    )


@hookimpl
def corehost_api() -> ApiSpec:
    return ApiSpec(version="1.0.0", methods={"pour": Method(handler=pour)})


@hookimpl
def corehost_setup(context: PluginContext) -> None:
    contexts.append(context)
