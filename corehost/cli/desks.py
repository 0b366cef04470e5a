"""Work on the people of a host: by its API while it runs, by its data folder while it does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final, Protocol
from urllib.parse import quote

from corehost.cli.connection import Target
from corehost.client import HostClient
from corehost.contract.errors import UnreachableError
from corehost.contract.people import PeopleChange
from corehost.contract.permissions import ALL, PermissionSet
from corehost.contract.records import to_json
from corehost.contract.user import UserContext
from corehost.state.database import HostDatabase
from corehost.state.people.tokens import lifetime_end

Entry = dict[str, Any]
"""An account, role, token or session as JSON, as the API shows it."""
_OPERATOR: Final = UserContext(id="admin", permissions=PermissionSet({ALL}))
"""Whoever can read the data folder may do everything, as with the token that a running host leaves there."""


class Desk(Protocol):
    """What the commands need; each method raises a ``CorehostError`` if it is refused."""

    def users(self) -> list[Entry]: ...
    def user(self, user_id: str) -> Entry: ...
    def add(self, user_id: str, password: str | None, roles: Sequence[str]) -> Entry: ...
    def set_roles(self, user_id: str, roles: Sequence[str]) -> Entry: ...
    def set_disabled(self, user_id: str, disabled: bool) -> Entry: ...
    def set_password(self, user_id: str, password: str) -> None: ...
    def remove(self, user_id: str) -> None: ...
    def link(self, user_id: str) -> Entry: ...
    def sessions(self, user_id: str) -> list[Entry]: ...
    def end_session(self, user_id: str, session_id: str) -> None: ...
    def roles(self) -> list[Entry]: ...
    def put_role(self, name: str, permissions: Sequence[str], description: str) -> Entry: ...
    def remove_role(self, name: str) -> None: ...
    def tokens(self, user_id: str | None) -> list[Entry]: ...
    def make_token(
        self, user_id: str, name: str, permissions: Sequence[str] | None, lifetime: float | None
    ) -> Entry: ...
    def revoke(self, token_id: str) -> None: ...


@contextmanager
def open_desk(target: Target) -> Iterator[Desk]:
    """Return the desk of a running host, or that of a data folder that no host has, which is locked meanwhile."""
    folder = None if target.url else target.idle_folder()
    if folder is None:
        with target.client() as client:
            yield ApiDesk(client)
        return
    unlock = folder.lock()
    try:
        with closing(HostDatabase(folder.path)) as database:
            yield FolderDesk(database)
    finally:
        unlock()


class ApiDesk:
    """The people of a running host."""

    def __init__(self, client: HostClient) -> None:
        self._ask = client.ask

    def users(self) -> list[Entry]:
        return _items(self._ask("GET", "/api/users"))

    def user(self, user_id: str) -> Entry:
        return _entry(self._ask("GET", _user(user_id)))

    def add(self, user_id: str, password: str | None, roles: Sequence[str]) -> Entry:
        given = {} if password is None else {"password": password}
        return _entry(self._ask("POST", "/api/users", {"id": user_id, "roles": list(roles), **given}))

    def set_roles(self, user_id: str, roles: Sequence[str]) -> Entry:
        return _entry(self._ask("PATCH", _user(user_id), {"roles": list(roles)}))

    def set_disabled(self, user_id: str, disabled: bool) -> Entry:
        return _entry(self._ask("PATCH", _user(user_id), {"disabled": disabled}))

    def set_password(self, user_id: str, password: str) -> None:
        self._ask("PUT", f"{_user(user_id)}/password", {"password": password})

    def remove(self, user_id: str) -> None:
        self._ask("DELETE", _user(user_id))

    def link(self, user_id: str) -> Entry:
        return _entry(self._ask("POST", f"{_user(user_id)}/link"))

    def sessions(self, user_id: str) -> list[Entry]:
        return _items(self._ask("GET", f"{_user(user_id)}/sessions"))

    def end_session(self, user_id: str, session_id: str) -> None:
        self._ask("DELETE", f"{_user(user_id)}/sessions/{quote(session_id, safe='')}")

    def roles(self) -> list[Entry]:
        return _items(self._ask("GET", "/api/roles"))

    def put_role(self, name: str, permissions: Sequence[str], description: str) -> Entry:
        body = {"permissions": list(permissions), "description": description}
        return _entry(self._ask("PUT", f"/api/roles/{quote(name, safe='')}", body))

    def remove_role(self, name: str) -> None:
        self._ask("DELETE", f"/api/roles/{quote(name, safe='')}")

    def tokens(self, user_id: str | None) -> list[Entry]:
        return _items(self._ask("GET", "/api/tokens" if user_id is None else f"{_user(user_id)}/tokens"))

    def make_token(self, user_id: str, name: str, permissions: Sequence[str] | None, lifetime: float | None) -> Entry:
        body = {"name": name, "permissions": permissions and list(permissions), "lifetime": lifetime}
        given = {key: value for key, value in body.items() if value is not None}
        return _entry(self._ask("POST", f"{_user(user_id)}/tokens", given))

    def revoke(self, token_id: str) -> None:
        self._ask("DELETE", f"/api/tokens/{quote(token_id, safe='')}")


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


def _user(user_id: str) -> str:
    return f"/api/users/{quote(user_id, safe='')}"


def _items(answer: Any) -> list[Entry]:
    return list(answer["items"])


def _entry(answer: Any) -> Entry:
    return dict(answer)


def _json(values: Sequence[Any]) -> list[Entry]:
    return [_entry(to_json(value)) for value in values]
