"""Work on the people of a host: by its API while it runs, by its data folder while it does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import quote

from corehost.cli.connection import Target
from corehost.client import HostClient

Entry = dict[str, Any]
"""An account, role, token or session as JSON, as the API shows it."""


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
    from corehost.cli.offline import FolderDesk, database_of  # noqa: PLC0415  # brings SQLAlchemy: half a second

    with database_of(folder) as database:
        yield FolderDesk(database)


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


def _user(user_id: str) -> str:
    return f"/api/users/{quote(user_id, safe='')}"


def _items(answer: Any) -> list[Entry]:
    return list(answer["items"])


def _entry(answer: Any) -> Entry:
    return dict(answer)
