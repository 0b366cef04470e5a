"""Decide what a user or a plugin may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from corehost.contract.errors import PermissionDeniedError
from corehost.contract.permissions import ALL, use_of
from corehost.contract.user import UserContext
from corehost.messaging.bus import Bus
from corehost.plugins.faults import Faults
from corehost.plugins.registry import Plugin, Registry
from corehost.state.audit import AuditLog

OwnerOf = Callable[[str], str | None]
"""Returns which plugin declared the schema of a message type."""


class FirstAnswer(Protocol):
    """Asks the plugins in load order until one answers."""

    def __call__(self, name: str, /, **arguments: Any) -> Any: ...


class Permissions:
    """The checks of what users hold and plugins were granted. Every refusal raises, is logged and counted."""

    def __init__(
        self, registry: Registry, faults: Faults, audit: AuditLog, *, ask: FirstAnswer, owner_of: OwnerOf
    ) -> None:
        self._registry = registry
        self._faults = faults
        self._audit = audit
        self._ask = ask
        self._owner_of = owner_of

    def may(self, user: UserContext | None, permission: str) -> bool:
        """Tell whether *user* holds *permission*; plugins that implement ``corehost_check_permission`` decide first."""
        if user is None:
            return False
        decided = self._ask("corehost_check_permission", user=user, permission=permission)
        return bool(decided) if decided is not None else permission in user.permissions

    def require_user(self, user: UserContext | None, permission: str, what: str) -> None:
        """Raise ``PermissionDeniedError`` unless *user* holds *permission*; *what* ends "… to " in the error's text."""
        if not self.may(user, permission):
            name = "Nobody" if user is None else f"user:{user.id}"
            self._refuse(name, permission, f"{name} may not {what}: the permission {permission!r} is missing.")

    def require_plugin(self, plugin: Plugin, permission: str, what: str) -> None:
        """Raise ``PermissionDeniedError`` unless *plugin* was granted *permission*."""
        if permission not in plugin.granted:
            hint = f"Add {permission!r} to the permissions in its manifest."
            if plugin.manifest is not None and permission in plugin.manifest.permissions:
                hint = f"{permission!r} was not granted: 'corehost plugin grant {plugin.id} {permission}' does it."
            self._refuse(plugin.id, permission, f"Plugin {plugin.id!r} may not {what}. {hint}")

    def may_see_type(self, user: UserContext | None, message_type: str) -> bool:
        """Tell whether *user* may hear messages of the type."""
        return self.may(user, self._permission_of_type(message_type))

    def may_send_type(self, user: UserContext | None, message_type: str) -> bool:
        """Tell whether *user* may send messages of the type; ``core:`` ones are sent by the host alone."""
        return not message_type.startswith("core:") and self.may(user, self._permission_of_type(message_type))

    def _permission_of_type(self, message_type: str) -> str:
        first = message_type.partition(":")[0]
        if first == "core":
            return "core:read"
        if self._registry.find(first) is not None:
            return use_of(first)
        owner = self._owner_of(message_type)
        return ALL if owner is None else use_of(owner)

    def _refuse(self, subject: str, permission: str, text: str) -> None:
        self._faults.refuse(subject, permission, text)
        actor = {"Nobody": "anonymous"}.get(subject, subject if subject.startswith("user:") else f"plugin:{subject}")
        self._audit.note("permission:refuse", actor=actor, subject=permission, outcome="refused", detail={"why": text})
        raise PermissionDeniedError(text, permission=permission, subject=subject)


def owner_of(bus: Bus) -> Callable[[str], str | None]:
    """Return what tells whose a declared message type is."""

    def owner(message_type: str) -> str | None:
        found = bus.schemas().get(message_type)
        return None if found is None else found[0]

    return owner
