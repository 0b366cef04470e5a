"""The names of permissions, and whether what somebody holds covers what is asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

STORAGE_READ: Final = "storage:read"
STORAGE_WRITE: Final = "storage:write"
NETWORK_FETCH: Final = "network:fetch"
USER_READ: Final = "user:read"
USER_WRITE: Final = "user:write"
PLUGINS_COMMUNICATE: Final = "plugins:communicate"
ROUTES_REGISTER: Final = "routes:register"
API_EXPOSE: Final = "api:expose"
METRICS_READ: Final = "metrics:read"
ALL: Final = "*"

STANDARD: Final = frozenset(
    {
        STORAGE_READ,
        STORAGE_WRITE,
        NETWORK_FETCH,
        USER_READ,
        USER_WRITE,
        PLUGINS_COMMUNICATE,
        ROUTES_REGISTER,
        API_EXPOSE,
    }
)
"""The permissions of the specification; a plugin may request others, which are custom."""


class PermissionSet(frozenset[str]):
    """What somebody holds; ``in`` answers for everything that it covers.

    ``*`` covers all; ``plugin:clock:*`` covers everything below ``plugin:clock:``.
    """

    def __contains__(self, wanted: object) -> bool:
        return frozenset.__contains__(self, wanted) or self._covers(wanted)

    def missing(self, wanted: Iterable[str]) -> list[str]:
        """Return those of *wanted* that this set does not cover, in order."""
        return [permission for permission in wanted if permission not in self]

    def _covers(self, wanted: object) -> bool:
        if not isinstance(wanted, str):
            return False
        if frozenset.__contains__(self, ALL):
            return True
        parts = wanted.split(":")
        prefixes = (":".join(parts[:length]) + ":*" for length in range(1, len(parts)))
        return any(frozenset.__contains__(self, prefix) for prefix in prefixes)


def use_of(plugin_id: str) -> str:
    """Return the permission to use a plugin: its pages, methods, stores and messages."""
    return f"plugin:{plugin_id}:use"


def manage_of(plugin_id: str) -> str:
    """Return the permission to manage a plugin: write its stores, configure it, switch it on and off."""
    return f"plugin:{plugin_id}:manage"
