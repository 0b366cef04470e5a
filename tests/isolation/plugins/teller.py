"""Changes its store by itself, and answers."""

from typing import Any

from corehost import ApiSpec, Manifest, Method, MethodContext, StoresSpec, hookimpl, writable

number = writable(0)


def put(input: Any, context: MethodContext) -> int:
    number.set(input)
    return number.get()


def echo(input: Any, context: MethodContext) -> Any:
    return input


@hookimpl
def corehost_manifest() -> Manifest:
    return Manifest(id="teller", name="Teller", version="1.0.0", description="", permissions=("api:expose",))


@hookimpl
def corehost_api() -> ApiSpec:
    return ApiSpec(version="1.0.0", methods={"put": Method(handler=put), "echo": Method(handler=echo)})


@hookimpl
def corehost_stores() -> StoresSpec:
    return StoresSpec(writable={"number": number})
