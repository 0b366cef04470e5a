"""Keep the JSON values of one plugin on disk."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, Text, delete, func, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import OperationalError

from corehost.contract.errors import ConflictError, InvalidError, QuotaError
from corehost.contract.manifest import id_fault
from corehost.contract.schema import check, json_faults
from corehost.state.engine import open_engine, reading, writing

T = TypeVar("T")
QUOTA = 100_000_000
MAX_KEY = 512

_metadata = MetaData()
_entries = Table("entries", _metadata, Column("key", String, primary_key=True), Column("value", Text, nullable=False))


class Storage:
    """One plugin's values in one SQLite file, opened at the first use; safe to use from any thread.

    Raises ``InvalidError`` for a key or value that cannot be kept, ``QuotaError`` when the file is full, and
    ``ConflictError`` once it is closed.
    """

    def __init__(self, path: Path, *, quota: int = QUOTA) -> None:
        self._path = path
        self._quota = quota
        self._lock = threading.Lock()
        self._writes = threading.Lock()  # in line here: SQLite's own waiting is polling, and gives up
        self._engine: Engine | None = None
        self._closed = False
        self._local = threading.local()

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of *key*."""
        return self._read(lambda entries: entries.get(key, default))

    def set(self, key: str, value: Any) -> None:
        """Keep *value* under *key*; on return it is on disk."""
        self._write(lambda entries: entries.set(key, value))

    def delete(self, key: str) -> None:
        """Forget *key*, if it is there."""
        self._write(lambda entries: entries.delete(key))

    def clear(self) -> None:
        """Forget everything."""
        self._write(lambda entries: entries.clear())

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that begin with *prefix*, sorted."""
        return self._read(lambda entries: entries.keys(prefix))

    @contextmanager
    def transaction(self) -> Iterator[Entries]:
        """Read and write all or nothing; an exception inside rolls back.

        What this thread does with the storage meanwhile belongs to the transaction; an inner one is a savepoint.
        """
        outer: Connection | None = getattr(self._local, "connection", None)
        if outer is not None:
            with outer.begin_nested():
                yield Entries(outer)
            return
        with self._writes, self._full_is_quota(), writing(self._opened()) as connection:
            self._local.connection = connection
            try:
                yield Entries(connection)
            finally:
                self._local.connection = None

    def close(self) -> None:
        """Close the file; using the storage afterwards raises ``ConflictError``."""
        with self._lock:
            self._closed = True
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    def _read(self, work: Callable[[Entries], T]) -> T:
        joined: Connection | None = getattr(self._local, "connection", None)
        if joined is not None:
            return work(Entries(joined))
        with reading(self._opened()) as connection:
            return work(Entries(connection))

    def _write(self, work: Callable[[Entries], None]) -> None:
        with self.transaction() as entries:
            work(entries)

    def _opened(self) -> Engine:
        with self._lock:
            if self._closed:
                raise ConflictError(f"The storage {self._path.stem!r} is closed; its plugin is not loaded.")
            if self._engine is None:
                engine = open_engine(self._path, quota=self._quota)
                _metadata.create_all(engine)
                self._engine = engine
            return self._engine

    @contextmanager
    def _full_is_quota(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            if "full" not in str(error.orig):
                raise
            limit = f"{self._quota / 1e6:g} MB"
            text = f"The storage {self._path.stem!r} is full (at most {limit}). Delete what is not needed."
            raise QuotaError(text) from error


class Entries:
    """The values as one transaction sees them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of *key*."""
        found = self._connection.scalar(select(_entries.c.value).where(_entries.c.key == _checked(key)))
        return default if found is None else json.loads(found)

    def set(self, key: str, value: Any) -> None:
        """Put *value* under *key*."""
        check(json_faults, value, f"The value of {key!r}")
        # ASCII escapes keep what UTF-8 cannot hold (a lone surrogate), which JSON allows.
        statement = insert(_entries).values(key=_checked(key), value=json.dumps(value, separators=(",", ":")))
        changed = {"value": statement.excluded.value}
        self._connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=changed))

    def delete(self, key: str) -> None:
        """Forget *key*, if it is there."""
        self._connection.execute(delete(_entries).where(_entries.c.key == _checked(key)))

    def clear(self) -> None:
        """Forget everything."""
        self._connection.execute(delete(_entries))

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that begin with *prefix*, sorted."""
        query = select(_entries.c.key).order_by(_entries.c.key)
        if prefix:
            key = _entries.c.key
            query = query.where(key >= _checked(prefix), func.substr(key, 1, len(prefix)) == prefix)
        return list(self._connection.scalars(query))


class StorageFolder:
    """Where the storages of all plugins lie, one file each."""

    def __init__(self, folder: Path, *, quota: int = QUOTA) -> None:
        self._folder = folder
        self._quota = quota

    def open(self, plugin_id: str) -> Storage:
        """Return the storage of *plugin_id*; raises ``InvalidError`` for what is no plugin id."""
        # The id becomes a file's name: nothing but kebab-case may pass, so no path can lead out of the folder.
        if fault := id_fault(plugin_id):
            raise InvalidError(fault)
        return Storage(self._folder / f"{plugin_id}.db", quota=self._quota)


def _checked(key: Any) -> str:
    is_text = isinstance(key, str) and 0 < len(key) <= MAX_KEY and "\0" not in key
    if not is_text or any("\ud800" <= character <= "\udfff" for character in key):
        raise InvalidError(f"{key!r} is no storage key: text of 1 to {MAX_KEY} characters.")
    return str(key)
