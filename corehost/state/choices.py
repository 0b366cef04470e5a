"""Remember which plugins the operator switched on or off, and what they said of themselves last."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.sqlite import insert

from corehost.state.engine import reading, writing
from corehost.state.tables import plugins


class Choices:
    """The operator's choices by plugin id; they outlive the host."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, plugin_id: str) -> bool | None:
        """Return whether the plugin shall be enabled, ``None`` if nobody chose."""
        with reading(self._engine) as connection:
            found: bool | None = connection.scalar(select(plugins.c.enabled).where(plugins.c.id == plugin_id))
        return found

    def set(self, plugin_id: str, enabled: bool) -> None:
        """Keep the choice."""
        self._put(plugin_id, enabled=enabled)

    def manifest(self, plugin_id: str) -> Any:
        """Return the manifest, as JSON, that the plugin had when it was last read; ``None`` if it never was."""
        with reading(self._engine) as connection:
            found = connection.scalar(select(plugins.c.manifest).where(plugins.c.id == plugin_id))
        return None if found is None else json.loads(found)

    def remember(self, plugin_id: str, manifest: Any) -> None:
        """Keep the manifest, as JSON, so that the plugin can be listed without importing it."""
        if self.manifest(plugin_id) != manifest:  # a start must not write for each plugin: a write costs a sync
            self._put(plugin_id, manifest=json.dumps(manifest))

    def forget(self, plugin_id: str) -> None:
        """Drop all that is kept of the plugin."""
        with writing(self._engine) as connection:
            connection.execute(delete(plugins).where(plugins.c.id == plugin_id))

    def _put(self, plugin_id: str, **values: Any) -> None:
        statement = insert(plugins).values(id=plugin_id, **values)
        with writing(self._engine) as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
