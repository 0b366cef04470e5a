"""Spring: pours out messages by the thousand."""

from __future__ import annotations

from time import monotonic_ns
from typing import Any

from corehost import ApiSpec, Manifest, Method, MethodContext, PluginContext, hookimpl

contexts: list[PluginContext] = []


def pour(input: dict[str, Any], context: MethodContext) -> list[int]:
    """Send ``count`` messages of ``type``, as fast as can be, with ``pad`` bytes in each; return the ``seq`` of each.

    They are numbered from ``first`` on and say when they were sent, in nanoseconds that only rise.
    """
    send, first, pad = contexts[-1].core.messages.send, input.get("first", 0), "x" * input.get("pad", 0)
    numbers = range(first, first + input["count"])
    return [send(input["type"], {"n": number, "at": monotonic_ns(), "pad": pad}).seq for number in numbers]


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
