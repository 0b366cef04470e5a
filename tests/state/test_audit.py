"""The audit log takes additions only, survives floods, and forgets what is old."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from corehost.contract.audit import AuditEntry
from corehost.state.audit import AuditLog
from corehost.state.bursts import OTHERS, Bursts
from corehost.state.database import HostDatabase
from corehost.state.engine import open_engine, writing
from corehost.state.tables import metadata


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_engine(tmp_path / "audit.db")
    metadata.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def log(engine: Engine) -> Iterator[AuditLog]:
    made = AuditLog(engine)
    yield made
    made.close()


def told(log: AuditLog, **filters: object) -> list[tuple[str, str, int]]:
    return [(entry.action, entry.subject, entry.count) for entry in log.read(**filters)]  # type: ignore[arg-type]  # as given


def test_what_was_recorded_is_on_disk_at_once(tmp_path: Path) -> None:
    first = HostDatabase(tmp_path)
    first.audit.record("grant:give", actor="user:ann", subject="clock", detail={"permission": "network:fetch"})

    second = HostDatabase(tmp_path)  # while the first is still open: nothing waits for its end
    (entry,) = second.audit.read()

    assert (entry.actor, entry.action, entry.subject, entry.outcome) == ("user:ann", "grant:give", "clock", "done")
    assert entry.detail == {"permission": "network:fetch"}
    assert abs(entry.at - time.time()) < 60
    first.close()
    second.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'nobody'",
        "UPDATE audit SET detail = '{}' WHERE number = 1",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE number = 1",
        "INSERT OR REPLACE INTO audit SELECT number, at, 'nobody', action, subject, outcome, detail, count FROM audit",
        "REPLACE INTO audit SELECT number, at, 'nobody', action, subject, outcome, detail, count FROM audit",
    ],
)
def test_the_database_itself_refuses_to_change_an_entry(engine: Engine, log: AuditLog, statement: str) -> None:
    log.record("plugin:disable", actor="user:ann", subject="clock")

    with pytest.raises(SQLAlchemyError, match="additions only"), writing(engine) as connection:
        connection.execute(text(statement))

    assert [entry.actor for entry in log.read()] == ["user:ann"]


def test_the_code_of_the_log_offers_no_way_to_change_it() -> None:
    names = {name for name in dir(AuditLog) if not name.startswith("_")}

    assert names == {"record", "note", "read", "settle", "close"}


def test_a_flood_of_equal_refusals_becomes_two_lines(log: AuditLog) -> None:
    for _ in range(1_000):
        log.note("user:sign-in", actor="anonymous", subject="user:ann", outcome="refused")
    log.settle()

    assert [entry.count for entry in log.read()] == [999, 1]


def test_a_flood_of_different_names_is_counted_together(log: AuditLog) -> None:
    for number in range(1_000):
        log.note("user:sign-in", actor="anonymous", subject=f"user:{number}", outcome="refused")
    log.settle()

    entries = log.read(limit=1_000)
    assert len(entries) < 300
    assert sum(entry.count for entry in entries) == 1_000
    assert any(entry.subject == OTHERS for entry in entries)


def test_a_burst_that_is_over_is_told_by_itself() -> None:
    clock = [0.0]
    bursts = Bursts(seconds=60, clock=lambda: clock[0])
    entry = AuditEntry(at=1.0, actor="user:ann", action="plugin:call", subject="clock.now")
    assert bursts.first_of(entry) is entry
    assert bursts.first_of(entry) is None
    assert bursts.ended() == []

    clock[0] = 61.0

    assert [told.count for told in bursts.ended()] == [1]
    assert bursts.ended() == []
    assert bursts.first_of(entry) is entry


def test_entries_are_read_by_filter_and_from_a_place(log: AuditLog) -> None:
    log.record("user:sign-in", actor="user:ann")
    log.record("grant:give", actor="user:ann", subject="clock")
    log.record("grant:revoke", actor="user:bob", subject="clock", outcome="failed")

    assert told(log, action="grant:") == [("grant:revoke", "clock", 1), ("grant:give", "clock", 1)]
    assert told(log, actor="user:ann", subject="clock") == [("grant:give", "clock", 1)]
    assert told(log, outcome="failed") == [("grant:revoke", "clock", 1)]
    assert told(log, since=1, limit=1) == [("grant:give", "clock", 1)]
    assert told(log, before=2) == [("user:sign-in", "", 1)]
    assert told(log, begin=time.time() + 60) == []
    assert told(log, action="%") == []


def test_what_is_older_than_it_is_kept_goes_and_nothing_else(engine: Engine) -> None:
    old = AuditLog(engine, now=lambda: time.time() - 40 * 86_400)
    old.record("user:sign-in", actor="user:ann", subject="long ago")
    old.close()
    log = AuditLog(engine, days=30)
    log.record("user:sign-in", actor="user:ann", subject="now")

    assert told(log) == [("user:sign-in", "now", 1)]
    log.close()


def test_no_more_than_the_newest_entries_are_kept(engine: Engine) -> None:
    first = AuditLog(engine)
    for number in range(20):
        first.record("plugin:call", actor="user:ann", subject=str(number))
    first.close()
    log = AuditLog(engine, most=5)
    log.record("plugin:call", actor="user:ann", subject="20")

    assert [entry.subject for entry in log.read()] == ["20", "19", "18", "17", "16"]
    log.close()


def test_a_stranger_cannot_make_an_entry_large(log: AuditLog) -> None:
    log.record("user:sign-in", actor="anonymous", subject="x" * 100_000)

    assert len(log.read()[0].subject) <= 200


def test_closing_writes_what_was_noted(engine: Engine) -> None:
    log = AuditLog(engine)
    for _ in range(3):
        log.note("plugin:call", actor="user:ann", subject="clock.now")

    log.close()

    assert sum(entry.count for entry in AuditLog(engine).read()) == 3
