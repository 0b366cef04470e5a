"""Which clients hear a message type."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

from corehost.contract.message import Message
from corehost.web.relay.backend import Identity
from corehost.web.relay.client import Client
from corehost.web.relay.frames import Wire

Matches = Callable[[str, str], bool]
Plan = tuple[tuple["Group", frozenset[str] | None], ...]

_PLANS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """What one subscription asks for; ``sources`` of ``None`` is any source."""

    pattern: str
    sources: frozenset[str] | None = None


Interests = frozenset[Interest]


class Group:
    """Clients that hear exactly the same, so that one block of bytes serves them all.

    ``parked`` holds messages back, in order, while it is unknown whether the group may see the first of them.
    """

    __slots__ = ("block", "identity", "interests", "key", "members", "parked", "size", "view", "wire")

    def __init__(self, key: Hashable, interests: Interests, identity: Identity, wire: Wire) -> None:
        self.key = key
        self.interests = interests
        self.identity = identity
        self.view = identity.view
        self.wire = wire
        self.members: dict[Client, None] = {}
        self.block: list[bytes] = []
        self.size = 0
        self.parked: list[Message] | None = None

    def flush(self) -> None:
        """Send what was collected to every member."""
        if not self.block:
            return
        whole = self.block[0] if len(self.block) == 1 else b"".join(self.block)
        self.block, self.size = [], 0
        for client in list(self.members):  # a member whose connection fails leaves meanwhile
            client.send(whole)


class Audience:
    """All groups, found by message type through a cache that lives until a group comes or goes."""

    def __init__(self, matches: Matches) -> None:
        self._matches = matches
        self._groups: dict[Hashable, Group] = {}
        self._group_of: dict[Client, Group] = {}
        self._by_target: dict[str, dict[Client, None]] = {}
        self._plans: dict[str, Plan] = {}

    def __iter__(self) -> Iterator[Group]:
        return iter(list(self._groups.values()))

    def add(self, client: Client) -> None:
        """Make *client* reachable as the target of messages."""
        for target in _targets_of(client.identity):
            self._by_target.setdefault(target, {})[client] = None

    def remove(self, client: Client) -> None:
        """Forget *client*."""
        self._leave(client)
        for target in _targets_of(client.identity):
            clients = self._by_target.get(target, {})
            clients.pop(client, None)
            if not clients:
                self._by_target.pop(target, None)

    def present(self, target: str) -> bool:
        """Tell whether ``user:<id>`` or ``session:<id>`` is connected; may be called from any thread."""
        return target in self._by_target

    def addressed(self, target: str) -> list[Client]:
        """Return the connections of a ``user:<id>`` or ``session:<id>``."""
        return list(self._by_target.get(target, ()))

    def group_of(self, client: Client) -> Group | None:
        """Return the group that *client* is in."""
        return self._group_of.get(client)

    def move(self, client: Client, interests: Interests) -> bool:
        """Let *client* hear *interests*, nothing else; return false if a parked group stands in the way."""
        old = self._group_of.get(client)
        key = (client.wire, interests, client.identity.view, client.identity.tool)
        if old is not None and old.key == key:
            return old.parked is None
        new = self._groups.get(key)
        if any(group is not None and group.parked is not None for group in (old, new)):
            return False
        self._leave(client)
        if interests:
            group = new or self._make(key, interests, client)
            group.members[client] = None
            self._group_of[client] = group
        return True

    def plan(self, type: str) -> Plan:
        """Return the groups that asked for *type*, each with the sources that it asked for."""
        plan = self._plans.get(type)
        if plan is None:
            if len(self._plans) >= _PLANS:
                self._plans.clear()
            plan = self._plans[type] = tuple(self._find(type))
        return plan

    def _find(self, type: str) -> Iterator[tuple[Group, frozenset[str] | None]]:
        for group in self._groups.values():
            wanted = [interest.sources for interest in group.interests if self._matches(interest.pattern, type)]
            if wanted:
                listed = [sources for sources in wanted if sources is not None]
                yield group, None if len(listed) < len(wanted) else frozenset().union(*listed)

    def _make(self, key: Hashable, interests: Interests, client: Client) -> Group:
        group = self._groups[key] = Group(key, interests, client.identity, client.wire)
        self._plans.clear()
        return group

    def _leave(self, client: Client) -> None:
        group = self._group_of.pop(client, None)
        if group is None:
            return
        del group.members[client]
        if not group.members:
            del self._groups[group.key]
            self._plans.clear()


def _targets_of(identity: Identity) -> list[str]:
    session = [f"session:{identity.session}"] if identity.session is not None else []
    return [f"user:{identity.user.id}", *session]
