"""Doorkeeper: knows people by a header and decides what they may, as a team's own directory would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corehost import (
    ApiSpec,
    Manifest,
    Method,
    MethodContext,
    PermissionSet,
    PluginContext,
    UserContext,
    hookimpl,
)

_closed: set[str] = set()
_contexts: list[PluginContext] = []


def close(input: dict[str, Any], context: MethodContext) -> bool:
    """Deny a permission to everybody but administrators, from now on."""
    _closed.add(input["permission"])
    _contexts[-1].core.events.emit("doorkeeper:permissions-changed", None)
    return True


@hookimpl
def corehost_manifest() -> Manifest:
    return Manifest(
        id="doorkeeper",
        name="Doorkeeper",
        version="1.0.0",
        description="Knows people by a header and decides what they may.",
        permissions=("api:expose", "plugins:communicate"),
    )


@hookimpl
def corehost_api() -> ApiSpec:
    return ApiSpec(version="1.0.0", methods={"close": Method(handler=close)})


@hookimpl
def corehost_setup(context: PluginContext) -> None:
    _contexts.append(context)
    _closed.clear()


@hookimpl
def corehost_authenticate(headers: Mapping[str, str]) -> UserContext | None:
    scheme, _, name = headers.get("authorization", "").partition(" ")
    if scheme != "Badge":
        return None
    return UserContext(id=name, roles=("badge",), permissions=PermissionSet({"core:read"}))


@hookimpl
def corehost_check_permission(user: UserContext, permission: str) -> bool | None:
    if "administrator" in user.roles:
        return None
    if permission in _closed:
        return False
    return True if "badge" in user.roles and permission == "plugin:clock:use" else None
