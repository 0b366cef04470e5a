"""Open SQLite files through SQLAlchemy, so that what was acknowledged is on disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

_BUSY_MS = 10_000
_PAGE = 4096


def open_engine(path: Path, *, quota: int | None = None) -> Engine:
    """Return an engine for the SQLite file *path*; the file is made at the first connection.

    *quota* is the most bytes that the file may hold; SQLite itself refuses to grow beyond it (``SQLITE_FULL``).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": _BUSY_MS / 1000, "check_same_thread": False})
    pages = None if quota is None else max(1, quota // _PAGE)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # SQLAlchemy begins transactions below; sqlite3's own habit of beginning late would make reads and
        # writes of one transaction see different states.
        connection.isolation_level = None
        connection.execute(f"PRAGMA page_size={_PAGE}")
        connection.execute("PRAGMA journal_mode=WAL")
        # FULL syncs the log at each commit: an acknowledged write survives a power cut, not only kill -9.
        connection.execute("PRAGMA synchronous=FULL")
        if pages is not None:
            connection.execute(f"PRAGMA max_page_count={pages}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and then writes cannot be upgraded while another writes; take the
        # write lock at once.
        is_writing = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection that sees one state of the file."""
    with engine.begin() as connection:
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection whose changes are all kept, or none if an exception leaves the block."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection
