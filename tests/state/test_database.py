"""The host's own database, and that it outlives the host."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from corehost.contract.errors import SettingsError
from corehost.state.database import HostDatabase
from corehost.state.engine import open_engine
from corehost.state.sessions import IDLE_SECONDS, Sessions
from corehost.state.tables import metadata


@pytest.fixture
def database(tmp_path: Path) -> Iterator[HostDatabase]:
    made = HostDatabase(tmp_path)
    yield made
    made.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_engine(tmp_path / "sessions.db")
    metadata.create_all(made)
    yield made
    made.dispose()


def test_everything_survives_a_restart(tmp_path: Path) -> None:
    first = HostDatabase(tmp_path)
    first.choices.set("clock", False)
    first.choices.remember("clock", {"id": "clock"})
    first.configs.set("clock", {"zone": "UTC"}, {"token": "hush"})
    first.preferences.set("clock", "ann", "layout", [1])
    secret = first.sessions.open_session("ann")
    first.close()

    second = HostDatabase(tmp_path)
    assert second.choices.get("clock") is False
    assert second.choices.manifest("clock") == {"id": "clock"}
    assert second.configs.get("clock") == {"zone": "UTC", "token": "hush"}
    assert second.preferences.get("clock", "ann", "layout") == [1]
    assert second.sessions.session_user(secret) == "ann"
    second.close()


def test_what_was_never_chosen_is_told_from_off(database: HostDatabase) -> None:
    database.choices.remember("clock", {})
    assert database.choices.get("clock") is None
    database.choices.set("clock", True)
    database.choices.forget("clock")
    assert database.choices.get("clock") is None


def test_preferences_belong_to_plugin_and_user(database: HostDatabase) -> None:
    database.preferences.set("clock", "ann", "a", 1)

    assert database.preferences.get("clock", "bob", "a", "none") == "none"
    assert database.preferences.get("board", "ann", "a") is None


def test_secrets_cannot_be_read_with_another_key(tmp_path: Path) -> None:
    database = HostDatabase(tmp_path)
    database.configs.set("clock", {}, {"token": "hush"})
    database.close()
    (tmp_path / "secret.key").unlink()

    other = HostDatabase(tmp_path)
    other.configs.set("other", {}, {"token": "x"})
    with pytest.raises(SettingsError, match=r"secret\.key"):
        other.configs.get("clock")
    other.close()
    assert b"hush" not in (tmp_path / "host.db").read_bytes()
    assert (tmp_path / "secret.key").stat().st_mode & 0o077 == 0


def test_a_session_ends_by_word_and_by_disuse(engine: Engine) -> None:
    now = [1_000_000.0]
    sessions = Sessions(engine, now=lambda: now[0])
    secret, other = sessions.open_session("ann"), sessions.open_session("bob")
    assert secret != sessions.session_id(secret)
    now[0] += IDLE_SECONDS - 10
    assert sessions.session_user(secret) == "ann"
    now[0] += 20
    assert sessions.session_user(secret) == "ann"
    assert sessions.session_user(other) is None

    sessions.end_session(secret)
    sessions.end_session("unknown")
    assert sessions.session_user(secret) is None
    assert sessions.session_user("") is None


def test_of_many_who_use_one_code_at_once_one_gets_in(database: HostDatabase) -> None:
    barrier = threading.Barrier(8)
    answers: list[bool] = []

    def use() -> None:
        barrier.wait()
        answers.append(database.sessions.use_code("code"))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(answers) == [False] * 7 + [True]
