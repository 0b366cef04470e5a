"""The names of permissions, and whether what somebody holds covers what is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
USERS_MANAGE: Final = "users:manage"
AUDIT_READ: Final = "audit:read"
GRANTS_WRITE: Final = "grants:write"
KEYS_WRITE: Final = "keys:write"
PLUGINS_INSTALL: Final = "plugins:install"
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

    A permission is words between colons. A ``*`` at the end stands for one or more words, elsewhere for exactly one:
    ``*`` covers all, ``plugin:clock:*`` all below ``plugin:clock:``, ``plugin:*:use`` the use of every plugin.
    """

    def __contains__(self, wanted: object) -> bool:
        return frozenset.__contains__(self, wanted) or self._covers(wanted)

    def missing(self, wanted: Iterable[str]) -> list[str]:
        """Return those of *wanted* that this set does not cover, in order."""
        return [permission for permission in wanted if permission not in self]

    def shared(self, other: Iterable[str]) -> PermissionSet:
        """Return what both this set and *other* cover."""
        theirs = [permission.split(":") for permission in other]
        met = (_meet(own.split(":"), each) for own in self for each in theirs)
        return PermissionSet(":".join(words) for words in met if words is not None)

    def _covers(self, wanted: object) -> bool:
        if not isinstance(wanted, str):
            return False
        words = wanted.split(":")
        return any(_meet(held.split(":"), words) == words for held in self if ALL in held)


def _meet(one: Sequence[str], other: Sequence[str]) -> list[str] | None:
    """Return the words that both cover, ``None`` if there are none."""
    if not one or not other:
        return None if one or other else []
    if list(one) == [ALL] or list(other) == [ALL]:
        return list(other if list(one) == [ALL] else one)
    if one[0] != other[0] and ALL not in (one[0], other[0]):
        return None
    rest = _meet(one[1:], other[1:])
    return None if rest is None else [other[0] if one[0] == ALL else one[0], *rest]


def use_of(plugin_id: str) -> str:
    """Return the permission to use a plugin: its pages, methods, stores and messages."""
    return f"plugin:{plugin_id}:use"


def manage_of(plugin_id: str) -> str:
    """Return the permission to manage a plugin: write its stores, configure it, switch it on and off."""
    return f"plugin:{plugin_id}:manage"
