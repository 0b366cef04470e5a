"""Badges: knows people by a header, and leaves it to others what they may."""

from __future__ import annotations

from collections.abc import Mapping

from corehost import Manifest, PermissionSet, UserContext, hookimpl


@hookimpl
def corehost_manifest() -> Manifest:
    return Manifest(id="badges", name="Badges", version="1.0.0", description="Knows people by a header.")


@hookimpl
def corehost_authenticate(headers: Mapping[str, str]) -> UserContext | None:
    scheme, _, name = headers.get("authorization", "").partition(" ")
    if scheme != "Badge":
        return None
    return UserContext(id=name, roles=("badge",), permissions=PermissionSet({"core:read"}))
