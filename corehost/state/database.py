"""The host's own database: choices, configurations, preferences and sessions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.sqlite import insert

from corehost.state.audit import DAYS, AuditLog
from corehost.state.choices import Choices
from corehost.state.engine import open_engine, reading, writing
from corehost.state.grants import Grants
from corehost.state.keys import TrustedKeys
from corehost.state.migrations import migrate
from corehost.state.people.people import People
from corehost.state.secrets import SecretBox
from corehost.state.sessions import IDLE_SECONDS, LIFETIME_SECONDS, Sessions
from corehost.state.tables import configs, preferences


class HostDatabase:
    """``host.db`` in the data folder, with the key of its secrets beside it in ``secret.key``.

    The audit log's entries are kept for *audit_days*; sessions end when unused for *session_idle* seconds, and at the
    latest after *session_lifetime*.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        audit_days: int = DAYS,
        session_idle: float = IDLE_SECONDS,
        session_lifetime: float = LIFETIME_SECONDS,
    ) -> None:
        self._engine = open_engine(data_dir / "host.db")
        migrate(self._engine)
        self.audit = AuditLog(self._engine, days=audit_days)
        self.grants = Grants(self._engine)
        self.keys = TrustedKeys(self._engine)
        self.choices = Choices(self._engine)
        self.secrets = SecretBox(data_dir / "secret.key")
        self.configs = Configs(self._engine, self.secrets)
        self.preferences = Preferences(self._engine)
        self.sessions = Sessions(self._engine, idle=session_idle, lifetime=session_lifetime)
        self.people = People(self._engine, self.sessions)

    def forget(self, plugin_id: str) -> None:
        """Drop all that is kept of a plugin, but for the audit log."""
        for part in (self.choices, self.grants, self.configs, self.preferences):
            part.forget(plugin_id)

    def close(self) -> None:
        """Close the file."""
        self.audit.close()
        self._engine.dispose()


class Configs:
    """What the operator set for each plugin; secret values are encrypted."""

    def __init__(self, engine: Engine, box: SecretBox) -> None:
        self._engine = engine
        self._box = box

    def get(self, plugin_id: str) -> dict[str, Any]:
        """Return the values of the plugin, secrets in the clear."""
        with reading(self._engine) as connection:
            query = select(configs.c.plain, configs.c.secret).where(configs.c.plugin == plugin_id)
            row = connection.execute(query).first()
        if row is None:
            return {}
        secret: dict[str, Any] = {} if row.secret is None else self._box.unseal(row.secret)
        return {**json.loads(row.plain), **secret}

    def set(self, plugin_id: str, plain: Mapping[str, Any], secret: Mapping[str, Any]) -> None:
        """Replace the values of the plugin; those in *secret* are encrypted."""
        values = {"plain": json.dumps(dict(plain)), "secret": self._box.seal(dict(secret)) if secret else None}
        statement = insert(configs).values(plugin=plugin_id, **values)
        with writing(self._engine) as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["plugin"], set_=values))

    def forget(self, plugin_id: str) -> None:
        """Drop the values of the plugin."""
        with writing(self._engine) as connection:
            connection.execute(delete(configs).where(configs.c.plugin == plugin_id))


class Preferences:
    """What a plugin keeps for each user."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, plugin_id: str, user_id: str, key: str, default: Any = None) -> Any:
        """Return the value that the plugin keeps for the user under *key*."""
        where = (preferences.c.plugin == plugin_id) & (preferences.c.user == user_id) & (preferences.c.key == key)
        with reading(self._engine) as connection:
            found = connection.scalar(select(preferences.c.value).where(where))
        return default if found is None else json.loads(found)

    def set(self, plugin_id: str, user_id: str, key: str, value: Any) -> None:
        """Keep *value*, which must be JSON."""
        statement = insert(preferences).values(plugin=plugin_id, user=user_id, key=key, value=json.dumps(value))
        changed = {"value": statement.excluded.value}
        with writing(self._engine) as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["plugin", "user", "key"], set_=changed))

    def forget(self, plugin_id: str) -> None:
        """Drop what the plugin keeps for anybody."""
        with writing(self._engine) as connection:
            connection.execute(delete(preferences).where(preferences.c.plugin == plugin_id))
