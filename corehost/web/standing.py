"""Cut the connections of those whose session has ended, or who may no longer do what they could when they came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from corehost.contract.people import PeopleChange
from corehost.contract.user import UserContext
from corehost.state.people.people import People
from corehost.web.caller import Caller
from corehost.web.relay.backend import Identity

_SIGNED_OUT = 1008
_COME_AGAIN = 1012
"""The close code of a restart: a client comes back at once, resumes by its cursor, and hears what it may now."""


class Connections(Protocol):
    """Who is connected, and how to cut them off."""

    def clients(self) -> Iterable[Identity]: ...
    def cut(self, identity: Identity, *, code: int = _SIGNED_OUT, reason: str = "") -> None: ...


class LiveSessions(Protocol):
    """Knows the sessions that have not ended."""

    def users(self) -> Mapping[str, str]: ...


class Standing:
    """Compares who is connected with who they would be if they came now.

    *is_enabled* tells whether a plugin, which may vouch for users, is still there.
    """

    def __init__(
        self,
        connections: Connections,
        people: People,
        sessions: LiveSessions,
        *,
        is_enabled: Callable[[str], bool],
    ) -> None:
        self._connections = connections
        self._people = people
        self._sessions = sessions
        self._is_enabled = is_enabled

    def changed(self, change: PeopleChange) -> None:
        """Look at the connections of those whom a change touches."""
        if change.users is None or change.users:
            self.check(change.users)

    def check(self, users: frozenset[str] | None = None) -> None:
        """Look at the connections of *users*, by default at all: sessions and tokens also end by themselves."""
        found = [one for one in self._connections.clients() if users is None or one.user.id in users]
        if found:
            self._cut(found)

    def arrived(self, identity: Identity) -> None:
        """Look at a connection that has just been taken over.

        Something may have changed after its request was let in, when the connection was not there to be looked at.
        """
        caller: Caller | None = identity.proof
        if caller is None or caller.mark != self._people.changes.count:
            self._cut([identity])

    def recall(self, users: frozenset[str] | None = None) -> None:
        """Have the connections of *users*, by default all, made anew; each then hears what it may, without a hole."""
        for identity in self._connections.clients():
            if users is None or identity.user.id in users:
                self._connections.cut(identity, code=_COME_AGAIN, reason="Your permissions may have changed.")

    def _cut(self, identities: Iterable[Identity]) -> None:
        sessions, tokens = self._sessions.users(), self._people.tokens.users()
        for identity in identities:
            now = self._user_now(identity.proof, sessions, tokens)
            if now is None:
                # Whom a plugin vouched for may be known to the next one, or to this one's next version.
                is_vouched = identity.proof is not None and identity.proof.plugin is not None
                code = _COME_AGAIN if is_vouched else _SIGNED_OUT
                self._connections.cut(identity, code=code, reason="Signed out.")
            elif now != identity.user:
                self._connections.cut(identity, code=_COME_AGAIN, reason="Your permissions have changed.")

    def _user_now(
        self, caller: Caller | None, sessions: Mapping[str, str], tokens: Mapping[str, UserContext]
    ) -> UserContext | None:
        if caller is None:
            return None
        if caller.session is not None:
            return self._people.context(caller.user.id) if sessions.get(caller.session) == caller.user.id else None
        if caller.token is not None:
            return tokens.get(caller.token)
        if caller.plugin is not None and not self._is_enabled(caller.plugin):
            return None
        return caller.user
