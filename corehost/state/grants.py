"""Remember what the operator decided that each plugin may do."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.sqlite import insert

from corehost.state.engine import reading, writing
from corehost.state.tables import grants


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether a permission is granted, who decided so, and when (seconds since 1970)."""

    granted: bool
    by: str
    at: float


class Grants:
    """The operator's decisions by plugin and permission; they outlive the host."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, plugin_id: str) -> dict[str, Decision]:
        """Return what was decided for the plugin, by permission; what is missing nobody has decided on."""
        query = select(grants).where(grants.c.plugin == plugin_id)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return {row.permission: Decision(granted=row.granted, by=row.by, at=row.at) for row in rows}

    def all(self) -> dict[str, dict[str, Decision]]:
        """Return all decisions, by plugin and permission: one question at the start in place of one for each plugin."""
        found: dict[str, dict[str, Decision]] = {}
        with reading(self._engine) as connection:
            for row in connection.execute(select(grants)):
                decision = Decision(granted=row.granted, by=row.by, at=row.at)
                found.setdefault(row.plugin, {})[row.permission] = decision
        return found

    def decide(self, plugin_id: str, decisions: Mapping[str, bool], *, by: str) -> None:
        """Keep decisions by permission, all of them or none."""
        now = time.time()
        with writing(self._engine) as connection:
            for permission, granted in decisions.items():
                values = {"granted": granted, "by": by, "at": now}
                statement = insert(grants).values(plugin=plugin_id, permission=permission, **values)
                connection.execute(
                    statement.on_conflict_do_update(index_elements=["plugin", "permission"], set_=values)
                )

    def forget(self, plugin_id: str) -> None:
        """Drop what was decided for the plugin, so that a later one of its id inherits nothing."""
        with writing(self._engine) as connection:
            connection.execute(delete(grants).where(grants.c.plugin == plugin_id))
