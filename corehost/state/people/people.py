"""Keep the people of one host: who they are, what they may do, and how they prove themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from sqlalchemy import Connection, Engine, delete, select
from sqlalchemy.dialects.sqlite import insert

from corehost.contract.errors import NotFoundError, UnauthenticatedError
from corehost.contract.people import Account, BrowserSession, PeopleChange
from corehost.contract.user import UserContext
from corehost.state.engine import reading, writing
from corehost.state.people import accounts, rules
from corehost.state.people.changes import Changes
from corehost.state.people.passwords import Passwords
from corehost.state.people.roles import Roles
from corehost.state.people.tables import identities, users
from corehost.state.people.tokens import Tokens
from corehost.state.sessions import Sessions


class People:
    """All users of a host, with their ``roles`` and ``tokens``.

    What changes somebody else is done in the name of an *actor*, who can give nothing that they do not have, and can
    touch nobody who may do more than they.
    """

    def __init__(self, engine: Engine, sessions: Sessions, *, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._sessions = sessions
        self._now = now
        self._lock = threading.Lock()
        self._known: dict[str, UserContext | None] = {}
        self.passwords = Passwords()
        self.changes = Changes()
        self.changes.tell(self._forget)  # first: whoever is told after it asks anew
        self.roles = Roles(engine, self.changes)
        self.tokens = Tokens(engine, self.changes, self.context, now=now)

    def context(self, user_id: str) -> UserContext | None:
        """Return who *user_id* is and what they may do now; ``None`` if unknown or disabled."""
        known = self._known
        if user_id in known:
            return known[user_id]
        found = self._read_context(user_id)
        with self._lock:
            if known is self._known:  # else something changed meanwhile, and this may be of before
                known[user_id] = found
        return found

    def all(self) -> list[Account]:
        """Return all accounts by id."""
        with reading(self._engine) as connection:
            return accounts.read_accounts(connection)

    def get(self, user_id: str) -> Account:
        """Return an account; raises ``NotFoundError``."""
        with reading(self._engine) as connection:
            return accounts.read_account(connection, user_id)

    def administrator(self) -> str:
        """Return the id of the administrator who has been there longest."""
        with reading(self._engine) as connection:
            return accounts.administrators(connection)[0]

    def add(
        self, actor: UserContext, user_id: str, *, password: str | None = None, roles: Iterable[str] = ()
    ) -> Account:
        """Make an account; raises ``InvalidError``, ``ConflictError``, ``PermissionDeniedError``."""
        name, wanted = rules.user_id(user_id), tuple(roles)
        hashed = None if password is None else self._hashed(name, password)
        with writing(self._engine) as connection:
            accounts.add_account(connection, name, hashed, self._now())
            self._put_roles(connection, actor, name, wanted)
        self._made("user:create", actor, name, roles=", ".join(sorted(wanted)))
        return self.get(name)

    def set_roles(self, actor: UserContext, user_id: str, roles: Iterable[str]) -> Account:
        """Give a user these roles and no others; what they may do changes at once, also on open sockets."""
        wanted = tuple(roles)
        with writing(self._engine) as connection:
            self._require_above(connection, actor, user_id)
            self._put_roles(connection, actor, user_id, wanted)
            accounts.require_administrator(connection)
        self._made("user:change-roles", actor, user_id, roles=", ".join(sorted(wanted)))
        return self.get(user_id)

    def set_disabled(self, actor: UserContext, user_id: str, disabled: bool) -> Account:
        """Keep a user out, or let them in again; the sessions of who is kept out end."""
        with writing(self._engine) as connection:
            self._require_above(connection, actor, user_id)
            accounts.change_account(connection, user_id, disabled=disabled)
            accounts.require_administrator(connection)
        if disabled:
            self._sessions.end_sessions(user_id)
        self._made("user:disable" if disabled else "user:enable", actor, user_id)
        return self.get(user_id)

    def remove(self, actor: UserContext, user_id: str) -> None:
        """Delete a user with their sessions, tokens and preferences."""
        with writing(self._engine) as connection:
            self._require_above(connection, actor, user_id)
            accounts.drop_account(connection, user_id)
            accounts.require_administrator(connection)
        self._made("user:remove", actor, user_id)

    def set_password(self, actor: UserContext, user_id: str, password: str, *, keep: str | None = None) -> None:
        """Set a user's password and end their sessions, but for the one with the id *keep*."""
        hashed = self._hashed(user_id, password)
        with writing(self._engine) as connection:
            self._require_above(connection, actor, user_id)
            accounts.change_account(connection, user_id, password=hashed)
        self._sessions.end_sessions(user_id, keep=keep)
        self._made("user:change-password", actor, user_id)

    def recognize(self, user_id: str, password: str) -> UserContext:
        """Return who has this name and password; raises ``UnauthenticatedError``, the same for whatever is wrong.

        It takes as long for a name that nobody has. May raise ``BusyError``.
        """
        name = user_id.strip().lower()
        with reading(self._engine) as connection:
            kept = connection.scalar(select(users.c.password).where(users.c.id == name))
        is_right = self.passwords.verify(kept, password)
        user = self.context(name)
        if not is_right or user is None:
            raise UnauthenticatedError("Name and password do not fit together.")
        if kept is not None and self.passwords.is_outdated(kept):
            self._keep_hash(name, kept, self.passwords.hash(password))
        return user

    def entered(self, user_id: str) -> None:
        """Note that a user has signed in."""
        with writing(self._engine) as connection:
            accounts.change_account(connection, user_id, seen=self._now())

    def sessions(self, user_id: str) -> list[BrowserSession]:
        """Return the browsers in which a user is signed in, the one used last first."""
        return self._sessions.of_user(user_id)

    def end_session(self, actor: UserContext, user_id: str, session_id: str) -> None:
        """End one session of a user; raises ``NotFoundError``."""
        with reading(self._engine) as connection:
            self._require_above(connection, actor, user_id)
        if not self._sessions.end_by_id(session_id, user_id):
            raise NotFoundError(f"User {user_id!r} has no session {session_id[:80]!r}.")
        self._made("session:end", actor, user_id)

    def require_above(self, actor: UserContext, user_id: str) -> None:
        """Raise ``PermissionDeniedError`` if the user may do something that *actor* may not."""
        with reading(self._engine) as connection:
            self._require_above(connection, actor, user_id)

    def of_identity(self, issuer: str, subject: str) -> str | None:
        """Return the id of the user whom a provider *issuer* knows as *subject*."""
        where = (identities.c.issuer == issuer) & (identities.c.subject == subject)
        with reading(self._engine) as connection:
            found: str | None = connection.scalar(select(identities.c.user).where(where))
        return found

    def join_identity(self, issuer: str, subject: str, user_id: str) -> None:
        """Remember that a provider knows *user_id* as *subject*."""
        with writing(self._engine) as connection:
            connection.execute(delete(identities).where(identities.c.user == user_id, identities.c.issuer == issuer))
            connection.execute(insert(identities).values(issuer=issuer, subject=subject, user=user_id))

    def _read_context(self, user_id: str) -> UserContext | None:
        with reading(self._engine) as connection:
            try:
                account = accounts.read_account(connection, user_id)
            except NotFoundError:
                return None
            held = accounts.held_by(connection, user_id)
        return None if account.disabled else UserContext(id=user_id, roles=account.roles, permissions=held)

    def _put_roles(self, connection: Connection, actor: UserContext, user_id: str, roles: Iterable[str]) -> None:
        accounts.put_roles(connection, user_id, roles)
        rules.require_covers(actor, sorted(accounts.held_by(connection, user_id)), f"give these roles to {user_id!r}")

    def _require_above(self, connection: Connection, actor: UserContext, user_id: str) -> None:
        accounts.read_account(connection, user_id)
        # Also of oneself: a token may do less than its user, and must not become more by a new password or link.
        rules.require_covers(actor, sorted(accounts.held_by(connection, user_id)), f"change {user_id!r}")

    def _hashed(self, user_id: str, password: str) -> str:
        self.passwords.check(user_id, password)
        return self.passwords.hash(password)

    def _keep_hash(self, user_id: str, old: str, new: str) -> None:
        with writing(self._engine) as connection:
            if connection.scalar(select(users.c.password).where(users.c.id == user_id)) == old:
                accounts.change_account(connection, user_id, password=new)

    def _made(self, action: str, actor: UserContext, user_id: str, **detail: str) -> None:
        self.changes.made(action, frozenset({user_id}), actor=actor, subject=f"user:{user_id}", **detail)

    def _forget(self, _: PeopleChange) -> None:
        with self._lock:
            self._known = {}
