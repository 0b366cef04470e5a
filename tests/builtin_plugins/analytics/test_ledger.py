from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builtin_plugins.analytics.ledger import MOST_TYPES, OTHER, SECONDS, Ledger
from corehost.state.storage import Storage

HOUR = 1_700_000_000 // 3600 * 3600
MINUTE = HOUR // 60


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage(tmp_path / "analytics.db")
    yield opened
    opened.close()


@pytest.fixture
def ledger(storage: Storage) -> Ledger:
    return Ledger(storage)


def test_what_was_added_is_read_by_minute_hour_and_day(ledger: Ledger) -> None:
    ledger.add({(MINUTE, "a"): 2, (MINUTE + 1, "a"): 3})
    ledger.add({(MINUTE, "a"): 1, (MINUTE, "b"): 1})

    until = HOUR + 3600
    day = HOUR - HOUR % SECONDS["day"]
    assert ledger.read("minute", HOUR, until) == {HOUR: {"a": 3, "b": 1}, HOUR + 60: {"a": 3}}
    assert ledger.read("hour", HOUR, until) == {HOUR: {"a": 6, "b": 1}}
    assert ledger.read("day", HOUR, until) == {day: {"a": 6, "b": 1}}


def test_what_lies_outside_of_the_asked_time_is_left_out(ledger: Ledger) -> None:
    ledger.add({(MINUTE, "a"): 1, (MINUTE + 60, "a"): 1})

    assert ledger.read("hour", HOUR, HOUR + 3600) == {HOUR: {"a": 1}}


def test_a_flood_of_types_is_bounded_and_none_is_lost(ledger: Ledger) -> None:
    ledger.add({(MINUTE, f"type-{n}"): 1 for n in range(MOST_TYPES + 100)})
    ledger.add({(MINUTE, f"more-{n}"): 1 for n in range(100)})

    counts = ledger.read("minute", HOUR, HOUR + 60)[HOUR]
    assert len(counts) == MOST_TYPES
    assert counts.total() == MOST_TYPES + 200
    assert counts[OTHER] > 100


def test_minutes_are_kept_a_day_and_hours_as_long_as_wished(ledger: Ledger, storage: Storage) -> None:
    for hours_ago in (0, 23, 30, 80):
        ledger.add({(MINUTE - 60 * hours_ago, "a"): 1})

    ledger.forget(HOUR, retention_days=2)

    assert len(storage.keys("minute:")) == 2
    assert len(storage.keys("hour:")) == 3
