"""Keep the roles: named sets of permissions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, Engine, delete, select
from sqlalchemy.dialects.sqlite import insert

from corehost.contract.errors import ConflictError, NotFoundError
from corehost.contract.people import Role
from corehost.contract.permissions import ALL, PermissionSet
from corehost.contract.user import UserContext
from corehost.state.engine import reading, writing
from corehost.state.people import rules
from corehost.state.people.changes import Changes
from corehost.state.people.tables import roles, user_roles

ADMINISTRATOR: Final = "administrator"
DEFAULTS: Final = (
    Role(name=ADMINISTRATOR, description="May do everything.", permissions=(ALL,), fixed=True),
    Role(
        name="operator",
        description="Uses and manages all plugins, and reads what the host tells of itself.",
        permissions=("core:read", "metrics:read", "plugin:*:manage", "plugin:*:use"),
    ),
    Role(name="member", description="Uses all plugins.", permissions=("core:read", "plugin:*:use")),
)
"""The roles of a new host; all but the administrators' can be changed and removed."""


class Roles:
    """All roles by name."""

    def __init__(self, engine: Engine, changes: Changes) -> None:
        self._engine = engine
        self._changes = changes

    def all(self) -> list[Role]:
        """Return the roles, the administrators' first, then by name."""
        with reading(self._engine) as connection:
            found = [*read_roles(connection).values()]
        return sorted(found, key=lambda role: (not role.fixed, role.name))

    def get(self, name: str) -> Role:
        """Return a role; raises ``NotFoundError``."""
        found = next((role for role in self.all() if role.name == name), None)
        if found is None:
            raise NotFoundError(f"There is no role {name!r}.")
        return found

    def put(self, actor: UserContext, name: str, *, permissions: Iterable[str], description: str = "") -> Role:
        """Make a role or replace it; it applies to everybody who has it at once.

        Raises ``InvalidError``, ``ConflictError`` for the administrators' role, ``PermissionDeniedError`` if it
        holds, or held, what *actor* does not.
        """
        role = Role(
            name=rules.role_name(name),
            description=description.strip()[:500],
            permissions=rules.permissions(permissions),
            fixed=name == ADMINISTRATOR,
        )
        with writing(self._engine) as connection:
            old = read_roles(connection).get(name)
            _refuse_fixed(name, "changed")
            rules.require_covers(actor, role.permissions, f"change the role {name!r}")
            rules.require_covers(actor, old.permissions if old else (), f"change the role {name!r}")
            put_role(connection, role)
        told = ", ".join(role.permissions)
        self._changes.made("role:change", None, actor=actor, subject=f"role:{name}", permissions=told)
        return role

    def remove(self, actor: UserContext, name: str) -> None:
        """Remove a role; whoever has it loses it."""
        with writing(self._engine) as connection:
            old = read_roles(connection).get(name)
            if old is None:
                raise NotFoundError(f"There is no role {name!r}.")
            _refuse_fixed(name, "removed")
            rules.require_covers(actor, old.permissions, f"remove the role {name!r}")
            connection.execute(delete(roles).where(roles.c.name == name))
            connection.execute(delete(user_roles).where(user_roles.c.role == name))
        self._changes.made("role:remove", None, actor=actor, subject=f"role:{name}")


def read_roles(connection: Connection) -> dict[str, Role]:
    """Return all roles by name."""
    rows = connection.execute(select(roles.c.name, roles.c.description, roles.c.permissions))
    return {
        row.name: Role(
            name=row.name,
            description=row.description,
            permissions=tuple(json.loads(row.permissions)),
            fixed=row.name == ADMINISTRATOR,
        )
        for row in rows
    }


def put_role(connection: Connection, role: Role) -> None:
    """Write a role as it is."""
    values = {"description": role.description, "permissions": json.dumps(role.permissions)}
    statement = insert(roles).values(name=role.name, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))


def permissions_of(connection: Connection, names: Iterable[str]) -> PermissionSet:
    """Return what the roles *names* hold together; an unknown role holds nothing."""
    known = read_roles(connection)
    return PermissionSet(permission for name in names if name in known for permission in known[name].permissions)


def _refuse_fixed(name: str, what: str) -> None:
    if name == ADMINISTRATOR:
        raise ConflictError(f"The role {name!r} cannot be {what}: a host must have somebody who may do everything.")
