"""People: a plugin that believes ``Authorization: Person <id>,<permission>,…``, so that tests can be anybody."""

from __future__ import annotations

from collections.abc import Mapping

from corehost import Manifest, PermissionSet, UserContext, hookimpl


@hookimpl
def corehost_manifest() -> Manifest:
    return Manifest(id="people", name="People", version="1.0.0", description="Knows people by a header.")


@hookimpl
def corehost_authenticate(headers: Mapping[str, str]) -> UserContext | None:
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme != "Person":
        return None
    name, *permissions = rest.split(",")
    return UserContext(id=name, permissions=PermissionSet(permissions))
