"""Bring a host's database from the form of an earlier version to today's."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, Engine, select
from sqlalchemy.dialects.sqlite import insert

from corehost.contract.errors import SettingsError
from corehost.state.engine import writing
from corehost.state.people import accounts
from corehost.state.people.roles import ADMINISTRATOR, DEFAULTS, put_role
from corehost.state.people.tables import user_roles, users
from corehost.state.tables import metadata

FIRST_USER: Final = "admin"
"""Who is there from the beginning: the one-use link that the host prints signs them in."""


def migrate(engine: Engine) -> None:
    """Make the tables that are missing and take all steps that the file has not taken; all or nothing.

    Raises ``SettingsError`` for a file of a later version, which must not be written by this one.
    """
    with writing(engine) as connection:
        taken = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if taken > len(_STEPS):
            raise SettingsError(
                f"The data folder was used by a later version of corehost: its form is {taken}, and this one knows "
                f"up to {len(_STEPS)}. Run that version, or go back to a copy of the folder made before."
            )
        metadata.create_all(connection)
        for step in _STEPS[taken:]:
            step(connection)
        if taken < len(_STEPS):
            connection.exec_driver_sql(f"PRAGMA user_version = {len(_STEPS)}")


def _add_people(connection: Connection) -> None:
    """Say more of each session, and begin with one administrator, who has no password yet."""
    there = {row[1] for row in connection.exec_driver_sql("PRAGMA table_info(sessions)")}
    for column in sorted({"agent", "address"} - there):
        connection.exec_driver_sql(f"ALTER TABLE sessions ADD COLUMN {column} TEXT")
    for role in DEFAULTS:
        put_role(connection, role)
    if connection.scalar(select(users.c.id)) is None:
        accounts.add_account(connection, FIRST_USER, None, time.time())
        connection.execute(insert(user_roles).values(user=FIRST_USER, role=ADMINISTRATOR))


_STEPS: Final[tuple[Callable[[Connection], None], ...]] = (_add_people,)
"""In order; a step that was once released is never changed, as files have taken it."""
