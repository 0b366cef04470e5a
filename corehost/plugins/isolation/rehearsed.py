"""A plugin of all kinds of declarations that serves nobody: what the template rehearses with."""

from __future__ import annotations

from typing import Any

from corehost.contract.api import ApiSpec, Method
from corehost.contract.hookspecs import hookimpl
from corehost.contract.manifest import Manifest
from corehost.contract.message import Handler, MessageSchema, MessagesSpec
from corehost.contract.routes import Route, RoutesSpec
from corehost.contract.stores import StoresSpec, writable

ID = "rehearsed"


@hookimpl
def corehost_manifest() -> Manifest:
    """Declare what a small plugin does."""
    permissions = ("api:expose", "routes:register")
    return Manifest(id=ID, name=ID, version="1.0.0", description="", permissions=permissions)


@hookimpl
def corehost_api() -> ApiSpec:
    """Declare a method."""
    return ApiSpec(version="1.0.0", methods={"echo": Method(handler=_echo, input_schema={})})


@hookimpl
def corehost_routes() -> RoutesSpec:
    """Declare a page."""
    return RoutesSpec(base_path=f"/{ID}", routes=(Route(path="/", view=lambda: "here"),))


@hookimpl
def corehost_messages() -> MessagesSpec:
    """Declare a message."""
    schema = MessageSchema(type=f"{ID}:thing:done", payload={"type": "object"})
    return MessagesSpec(handlers={"get": Handler(handle=print)}, schemas={"done": schema})


@hookimpl
def corehost_stores() -> StoresSpec:
    """Declare a store."""
    return StoresSpec(writable={"number": writable(1)})


@hookimpl
def corehost_setup(context: Any) -> None:
    """Begin nothing."""


def _echo(input: Any, _context: Any) -> Any:
    return input
