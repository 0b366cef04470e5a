"""Read and write accounts, row by row; who may do so is decided elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from corehost.contract.errors import ConflictError, Fault, InvalidError, NotFoundError
from corehost.contract.people import Account
from corehost.contract.permissions import ALL, PermissionSet
from corehost.state.people.roles import permissions_of, read_roles
from corehost.state.people.tables import api_tokens, identities, roles, user_roles, users
from corehost.state.tables import preferences, sessions


def read_accounts(connection: Connection) -> list[Account]:
    """Return all accounts by id."""
    had: dict[str, list[str]] = {}
    for row in connection.execute(select(user_roles.c.user, user_roles.c.role).order_by(user_roles.c.role)):
        had.setdefault(row.user, []).append(row.role)
    rows = connection.execute(select(users).order_by(users.c.id))
    return [_account(row, had.get(row.id, ())) for row in rows]


def read_account(connection: Connection, user_id: str) -> Account:
    """Return one account; raises ``NotFoundError``."""
    row = connection.execute(select(users).where(users.c.id == user_id)).first()
    if row is None:
        raise NotFoundError(f"There is no user {user_id[:80]!r}.")
    return _account(row, roles_of(connection, user_id))


def roles_of(connection: Connection, user_id: str) -> tuple[str, ...]:
    """Return the names of the roles that a user has."""
    found = select(user_roles.c.role).where(user_roles.c.user == user_id).order_by(user_roles.c.role)
    return tuple(connection.scalars(found))


def add_account(connection: Connection, user_id: str, password_hash: str | None, created: float) -> None:
    """Write a new account; raises ``ConflictError`` if there is one of that id."""
    values = {"id": user_id, "password": password_hash, "disabled": False, "created": created}
    if connection.execute(insert(users).values(values).on_conflict_do_nothing()).rowcount == 0:
        raise ConflictError(f"There is a user {user_id!r} already.")


def put_roles(connection: Connection, user_id: str, names: Iterable[str]) -> None:
    """Give a user these roles and no others; raises ``InvalidError`` naming those that are not there."""
    wanted, known = sorted(set(names)), read_roles(connection)
    faults = [Fault(path="/roles", message=f"There is no role {name[:80]!r}.") for name in wanted if name not in known]
    if faults:
        raise InvalidError("These roles cannot be given.", faults)
    connection.execute(delete(user_roles).where(user_roles.c.user == user_id))
    if wanted:
        connection.execute(insert(user_roles).values([{"user": user_id, "role": name} for name in wanted]))


def change_account(connection: Connection, user_id: str, **values: Any) -> None:
    """Set columns of an account."""
    connection.execute(update(users).where(users.c.id == user_id).values(values))


def drop_account(connection: Connection, user_id: str) -> None:
    """Delete an account with all that is kept of the user."""
    for table in (user_roles, api_tokens, identities, sessions, preferences):
        connection.execute(delete(table).where(table.c.user == user_id))
    connection.execute(delete(users).where(users.c.id == user_id))


def administrators(connection: Connection) -> list[str]:
    """Return the ids of those who may do everything and are not disabled, the oldest first."""
    powerful = {
        row.name for row in connection.execute(select(roles.c.name, roles.c.permissions)) if ALL in json.loads(row[1])
    }
    query = select(users.c.id).where(users.c.disabled.is_(False)).order_by(users.c.created, users.c.id)
    return [name for name in connection.scalars(query) if powerful & set(roles_of(connection, name))]


def require_administrator(connection: Connection) -> None:
    """Raise ``ConflictError`` if nobody is left who may do everything; the change is then rolled back."""
    if not administrators(connection):
        raise ConflictError("This would leave nobody who may do everything. Make another user administrator first.")


def held_by(connection: Connection, user_id: str) -> PermissionSet:
    """Return the permissions that a user's roles hold."""
    return permissions_of(connection, roles_of(connection, user_id))


def _account(row: Any, names: Iterable[str]) -> Account:
    return Account(
        id=row.id,
        roles=tuple(names),
        disabled=bool(row.disabled),
        has_password=row.password is not None,
        created=row.created,
        seen=row.seen,
    )
