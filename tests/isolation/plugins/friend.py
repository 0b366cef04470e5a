"""Friend: what the traveller meets."""

from typing import Any

from corehost import (
    ApiSpec,
    Manifest,
    Method,
    StoresSpec,
    hookimpl,
    writable,
)

mood = writable("calm")


def cheer(input: Any, context: Any) -> None:
    mood.set("glad")
    mood.set("calm") if input else None


def fail(input: Any, context: Any) -> None:
    raise ValueError("not today")


@hookimpl
def corehost_manifest() -> Manifest:
    return Manifest(id="friend", name="Friend", version="1.0.0", description="", permissions=("api:expose",))


@hookimpl
def corehost_api() -> ApiSpec:
    greet = Method(handler=lambda input, context: [input["name"], context.caller_id], input_schema={"type": "object"})
    return ApiSpec(
        version="1.0.0", methods={"greet": greet, "cheer": Method(handler=cheer), "fail": Method(handler=fail)}
    )


@hookimpl
def corehost_stores() -> StoresSpec:
    return StoresSpec(readable={"mood": mood})


@hookimpl(optionalhook=True)
def traveller_guests(evening: str) -> list[str]:
    return [evening, "friend"]
