"""Keep the audit log: who did what to whom, in a table that takes additions only."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, Final

import structlog
from sqlalchemy import ColumnElement, Engine, Row, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from corehost.contract.audit import AuditEntry, Outcome
from corehost.state.bursts import Bursts
from corehost.state.engine import reading, writing
from corehost.state.tables import audit

DAYS: Final = 365
MOST: Final = 1_000_000
"""The most entries that are kept, so that no flood fills the disk."""
_QUEUE: Final = 10_000
_PAUSE: Final = 0.2
_PRUNE_SECONDS: Final = 3_600.0
_SHORT: Final = 200
_UNIX_NOW: Final = "(julianday('now') - 2440587.5) * 86400.0"


class AuditLog:
    """The audit log of one host.

    Entries are kept for *days*, and at most *most* of them; older ones go by themselves. Everything else that would
    change or delete an entry is refused by the database itself. *now* tells the time in seconds since 1970.
    """

    def __init__(
        self, engine: Engine, *, days: int = DAYS, most: int = MOST, now: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._days = days
        self._most = most
        self._now = now
        self._log = structlog.get_logger("corehost.audit")
        self._bursts = Bursts()
        self._lock = threading.Lock()
        self._waiting: queue.Queue[tuple[AuditEntry | None, Future[None] | None]] = queue.Queue(_QUEUE)
        self._writer: threading.Thread | None = None
        self._end = threading.Event()
        self._pruned = 0.0
        self._guard()

    def record(
        self,
        action: str,
        *,
        actor: str,
        subject: str = "",
        outcome: Outcome = "done",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Enter what somebody did on purpose; it is on disk when this returns. Raises what kept it from that."""
        written: Future[None] = Future()
        self._put(self._entry(action, actor, subject, outcome, detail), written)
        written.result()

    def note(
        self,
        action: str,
        *,
        actor: str,
        subject: str = "",
        outcome: Outcome = "done",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Enter what can happen often, without waiting for the disk; equal ones within a minute become one entry."""
        entry = self._entry(action, actor, subject, outcome, detail)
        if (first := self._bursts.first_of(entry)) is not None:
            self._put(first, None)

    def read(
        self,
        *,
        since: int | None = None,
        before: int | None = None,
        begin: float | None = None,
        limit: int = 100,
        action: str | None = None,
        actor: str | None = None,
        subject: str | None = None,
        outcome: str | None = None,
    ) -> list[AuditEntry]:
        """Return up to *limit* entries, newest first; with *since*, those after that number, oldest first.

        *before* is a number, too; *begin* the earliest time; *action* what the action begins with.
        """
        columns = audit.c
        query = select(audit).order_by(columns.number if since is not None else columns.number.desc()).limit(limit)
        conditions: tuple[tuple[Any, Callable[[Any], ColumnElement[bool]]], ...] = (
            (since, lambda value: columns.number > value),
            (before, lambda value: columns.number < value),
            (begin, lambda value: columns.at >= value),
            (action, lambda value: columns.action.startswith(value, autoescape=True)),
            (actor, lambda value: columns.actor == value),
            (subject, lambda value: columns.subject == value),
            (outcome, lambda value: columns.outcome == value),
        )
        query = query.where(*(condition(value) for value, condition in conditions if value is not None))
        with reading(self._engine) as connection:
            return [_entry_of(row) for row in connection.execute(query)]

    def settle(self) -> None:
        """Wait until what was noted is on disk, what is still being counted included."""
        for entry in self._bursts.all():
            self._put(entry, None)
        written: Future[None] = Future()
        self._put(None, written)
        written.result()

    def close(self) -> None:
        """Write what is left, and take no more."""
        with self._lock:
            writer = self._writer
        if writer is not None and not self._end.is_set():
            self.settle()
            self._end.set()
            writer.join()
        self._end.set()

    def _entry(
        self, action: str, actor: str, subject: str, outcome: Outcome, detail: Mapping[str, Any] | None
    ) -> AuditEntry:
        # Strangers choose some of these texts, such as the name at a sign-in.
        return AuditEntry(
            action=action[:_SHORT],
            actor=actor[:_SHORT],
            subject=subject[:_SHORT],
            outcome=outcome,
            at=self._now(),
            detail=dict(detail or {}),
        )

    def _put(self, entry: AuditEntry | None, written: Future[None] | None) -> None:
        with self._lock:
            if self._writer is None and not self._end.is_set():
                self._writer = threading.Thread(target=self._write, name="corehost-audit", daemon=True)
                self._writer.start()
        if self._end.is_set():
            self._log.warning("audit entry after the end", entry=repr(entry))
            if written is not None:
                written.set_result(None)
            return
        self._waiting.put((entry, written))

    def _write(self) -> None:
        while not (self._end.is_set() and self._waiting.empty()):
            taken = self._take()
            entries = [entry for entry, _ in taken if entry is not None] + self._bursts.ended()
            failure: Exception | None = None
            try:
                self._insert(entries)
            except SQLAlchemyError as error:
                failure = error
                self._log.error("audit entries not written", entries=[repr(e) for e in entries], error=str(error))
            for _, written in taken:
                if written is not None:
                    written.set_result(None) if failure is None else written.set_exception(failure)

    def _take(self) -> list[tuple[AuditEntry | None, Future[None] | None]]:
        """Return all that waits, at the latest after a moment; many entries then share one sync of the disk."""
        taken: list[tuple[AuditEntry | None, Future[None] | None]] = []
        try:
            taken.append(self._waiting.get(timeout=_PAUSE))
            while len(taken) < _QUEUE:
                taken.append(self._waiting.get_nowait())
        except queue.Empty:
            return taken
        return taken

    def _insert(self, entries: Iterable[AuditEntry]) -> None:
        rows = [_row_of(entry) for entry in entries]
        is_time_to_prune = time.monotonic() - self._pruned > _PRUNE_SECONDS or not self._pruned
        if not rows and not is_time_to_prune:
            return
        with writing(self._engine) as connection:
            if rows:
                connection.execute(insert(audit), rows)
            if is_time_to_prune:
                self._pruned = time.monotonic()
                newest = connection.scalar(select(func.max(audit.c.number))) or 0
                old = audit.c.at < self._now() - self._days * 86_400
                connection.execute(delete(audit).where(old | (audit.c.number <= newest - self._most)))

    def _guard(self) -> None:
        """Have SQLite itself refuse whatever is no addition, but for what is over the limits."""
        oldest = f"{_UNIX_NOW} - {int(self._days)} * 86400.0"
        newest = "(SELECT max(number) FROM audit)"
        kept = f"OLD.at >= {oldest} AND OLD.number > {newest} - {int(self._most)}"
        refuse = "BEGIN SELECT RAISE(ABORT, 'the audit log takes additions only'); END"
        with writing(self._engine) as connection:
            for name in ("update", "delete", "replace"):
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS audit_no_{name}")
            connection.exec_driver_sql(f"CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit {refuse}")
            connection.exec_driver_sql(f"CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit WHEN {kept} {refuse}")
            # "INSERT OR REPLACE" deletes without asking the trigger above.
            taken = "EXISTS (SELECT 1 FROM audit WHERE number = NEW.number)"
            connection.exec_driver_sql(f"CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN {taken} {refuse}")


def _row_of(entry: AuditEntry) -> dict[str, Any]:
    names = ("at", "actor", "action", "subject", "outcome", "count")
    return {**{name: getattr(entry, name) for name in names}, "detail": json.dumps(entry.detail, default=str)}


def _entry_of(row: Row[Any]) -> AuditEntry:
    return AuditEntry(**{**row._mapping, "detail": json.loads(row.detail)})
