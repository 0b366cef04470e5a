"""Remember which plugins the operator switched on or off, and what they said of themselves last."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.sqlite import insert

from corehost.state.engine import reading, writing
from corehost.state.tables import plugins


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What is kept of one plugin; ``manifest`` is JSON text."""

    enabled: bool | None = None
    manifest: str | None = None


class Choices:
    """The operator's choices by plugin id; they outlive the host.

    Nobody else writes them, so they are read once: a start asks several times for each plugin.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        with reading(engine) as connection:
            rows = connection.execute(select(plugins.c.id, plugins.c.enabled, plugins.c.manifest)).all()
        self._kept = {row.id: _Kept(enabled=row.enabled, manifest=row.manifest) for row in rows}

    def get(self, plugin_id: str) -> bool | None:
        """Return whether the plugin shall be enabled, ``None`` if nobody chose."""
        return self._of(plugin_id).enabled

    def set(self, plugin_id: str, enabled: bool) -> None:
        """Keep the choice."""
        self._put(plugin_id, enabled=enabled)

    def manifest(self, plugin_id: str) -> Any:
        """Return the manifest, as JSON, that the plugin had when it was last read; ``None`` if it never was."""
        found = self._of(plugin_id).manifest
        return None if found is None else json.loads(found)

    def remember(self, plugin_id: str, manifest: Any) -> None:
        """Keep the manifest, as JSON, so that the plugin can be listed without importing it."""
        if self.manifest(plugin_id) != manifest:  # a start must not write for each plugin: a write costs a sync
            self._put(plugin_id, manifest=json.dumps(manifest))

    def forget(self, plugin_id: str) -> None:
        """Drop all that is kept of the plugin."""
        with self._lock:
            with writing(self._engine) as connection:
                connection.execute(delete(plugins).where(plugins.c.id == plugin_id))
            self._kept.pop(plugin_id, None)

    def _of(self, plugin_id: str) -> _Kept:
        return self._kept.get(plugin_id, _NOTHING)

    def _put(self, plugin_id: str, **values: Any) -> None:
        statement = insert(plugins).values(id=plugin_id, **values)
        with self._lock:
            with writing(self._engine) as connection:
                connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
            self._kept[plugin_id] = replace(self._of(plugin_id), **values)  # not before it is on disk


_NOTHING = _Kept()
