"""Remember whose signatures the operator trusts."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Engine, delete, select
from sqlalchemy.dialects.sqlite import insert

from corehost.state.engine import reading, writing
from corehost.state.tables import signing_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A public key, what the operator calls its owner, who trusted it, and when (seconds since 1970)."""

    key: str
    name: str
    by: str
    at: float


class TrustedKeys:
    """The trusted public keys of a host."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> list[TrustedKey]:
        """Return the keys, by name."""
        query = select(signing_keys).order_by(signing_keys.c.name, signing_keys.c.key)
        with reading(self._engine) as connection:
            return [TrustedKey(**row._mapping) for row in connection.execute(query)]

    def put(self, key: str, name: str, *, by: str) -> TrustedKey:
        """Keep a key, under another name if it is there."""
        at = time.time()
        values = {"name": name, "by": by, "at": at}
        statement = insert(signing_keys).values(key=key, **values)
        with writing(self._engine) as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=values))
        return TrustedKey(key=key, name=name, by=by, at=at)

    def drop(self, key: str) -> None:
        """Forget a key."""
        with writing(self._engine) as connection:
            connection.execute(delete(signing_keys).where(signing_keys.c.key == key))
