"""Work on the people and the trusted keys in the data folder of a host that does not run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final

from corehost.cli.datafolder import DataFolder
from corehost.contract.errors import UnreachableError
from corehost.contract.people import PeopleChange
from corehost.contract.permissions import ALL, PermissionSet
from corehost.contract.records import to_json
from corehost.contract.user import UserContext
from corehost.plugins.signing.keyring import Keyring, describe_key
from corehost.state.database import HostDatabase
from corehost.state.people.tokens import lifetime_end

Entry = dict[str, Any]
_OPERATOR: Final = UserContext(id="admin", permissions=PermissionSet({ALL}))
"""Whoever can read the data folder may do everything, as with the token that a running host leaves there."""
_OPERATOR_ID: Final = "user:admin"
"""The same, as the audit log calls them."""


@contextmanager
def database_of(folder: DataFolder) -> Iterator[HostDatabase]:
    """Return the database of a data folder, which is locked meanwhile; raises ``ConflictError`` if a host has it."""
    unlock = folder.lock()
    try:
        with closing(HostDatabase(folder.path)) as database:
            yield database
    finally:
        unlock()


class FolderDesk:
    """The people in the database of a host that does not run."""

    def __init__(self, database: HostDatabase) -> None:
        self._audit = database.audit
        self._people = database.people
        self._people.changes.tell(self._write)

    def users(self) -> list[Entry]:
        return _json(self._people.all())

    def user(self, user_id: str) -> Entry:
        return _entry(to_json(self._people.get(user_id)))

    def add(self, user_id: str, password: str | None, roles: Sequence[str]) -> Entry:
        return _entry(to_json(self._people.add(_OPERATOR, user_id, password=password, roles=roles)))

    def set_roles(self, user_id: str, roles: Sequence[str]) -> Entry:
        return _entry(to_json(self._people.set_roles(_OPERATOR, user_id, roles)))

    def set_disabled(self, user_id: str, disabled: bool) -> Entry:
        return _entry(to_json(self._people.set_disabled(_OPERATOR, user_id, disabled)))

    def set_password(self, user_id: str, password: str) -> None:
        self._people.set_password(_OPERATOR, user_id, password)

    def remove(self, user_id: str) -> None:
        self._people.remove(_OPERATOR, user_id)

    def link(self, user_id: str) -> Entry:
        raise UnreachableError(
            "A sign-in link is made by a running host. Start it with 'corehost serve', "
            f"or give {user_id!r} a password with 'corehost user passwd'."
        )

    def sessions(self, user_id: str) -> list[Entry]:
        return _json(self._people.sessions(self._people.get(user_id).id))

    def end_session(self, user_id: str, session_id: str) -> None:
        self._people.end_session(_OPERATOR, user_id, session_id)

    def roles(self) -> list[Entry]:
        return _json(self._people.roles.all())

    def put_role(self, name: str, permissions: Sequence[str], description: str) -> Entry:
        made = self._people.roles.put(_OPERATOR, name, permissions=permissions, description=description)
        return _entry(to_json(made))

    def remove_role(self, name: str) -> None:
        self._people.roles.remove(_OPERATOR, name)

    def tokens(self, user_id: str | None) -> list[Entry]:
        return _json(self._people.tokens.all(user_id and self._people.get(user_id).id))

    def make_token(self, user_id: str, name: str, permissions: Sequence[str] | None, lifetime: float | None) -> Entry:
        expires = lifetime_end(lifetime)
        token, secret = self._people.tokens.create(_OPERATOR, user_id, name, permissions=permissions, expires=expires)
        return {"token": to_json(token), "secret": secret}

    def revoke(self, token_id: str) -> None:
        self._people.tokens.revoke(_OPERATOR, token_id)

    def _write(self, change: PeopleChange) -> None:
        self._audit.record(change.action, actor=change.actor, subject=change.subject, detail=dict(change.detail))


class FolderRing:
    """The trusted keys in the database of a host that does not run."""

    def __init__(self, database: HostDatabase) -> None:
        self._keyring = Keyring(database.keys, database.audit)

    def all(self) -> list[Entry]:
        return [describe_key(trusted) for trusted in self._keyring.all()]

    def trust(self, key: str, name: str) -> Entry:
        return describe_key(self._keyring.trust(key, name, by=_OPERATOR_ID))

    def forget(self, which: str) -> None:
        self._keyring.forget(which, by=_OPERATOR_ID)


def _entry(answer: Any) -> Entry:
    return dict(answer)


def _json(values: Sequence[Any]) -> list[Entry]:
    return [_entry(to_json(value)) for value in values]
