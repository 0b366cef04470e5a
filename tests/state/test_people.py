"""Accounts, roles and tokens in the host's database, and who may change them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from argon2 import PasswordHasher

from corehost import (
    BusyError,
    ConflictError,
    InvalidError,
    NotFoundError,
    PermissionDeniedError,
    PermissionSet,
    UserContext,
)
from corehost.contract.errors import SettingsError, UnauthenticatedError
from corehost.contract.people import PeopleChange
from corehost.state.database import HostDatabase
from corehost.state.engine import open_engine
from corehost.state.people.passwords import Passwords
from corehost.state.people.people import People
from corehost.state.sessions import Sessions

ROOT = UserContext(id="admin", permissions=PermissionSet({"*"}))
CLERK = UserContext(id="clerk", permissions=PermissionSet({"users:manage", "plugin:*:use", "core:read"}))
PASSWORD = "correct horse battery"
OLD_FORM = """
CREATE TABLE sessions (id VARCHAR NOT NULL, user VARCHAR NOT NULL, created FLOAT NOT NULL, seen FLOAT NOT NULL,
                       PRIMARY KEY (id));
CREATE TABLE used_codes (hash VARCHAR NOT NULL, used FLOAT NOT NULL, PRIMARY KEY (hash));
CREATE TABLE plugins (id VARCHAR NOT NULL, enabled BOOLEAN, manifest TEXT, PRIMARY KEY (id));
INSERT INTO plugins VALUES ('clock', 0, NULL);
"""


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def database(tmp_path: Path) -> Iterator[HostDatabase]:
    made = HostDatabase(tmp_path)
    yield made
    made.close()


@pytest.fixture
def people(database: HostDatabase) -> People:
    return database.people


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(database: HostDatabase, tmp_path: Path, clock: Clock) -> Iterator[People]:
    """People of the same file, on a clock that the test moves."""
    engine = open_engine(tmp_path / "host.db")
    yield People(engine, Sessions(engine, now=clock), now=clock)
    engine.dispose()


def test_a_new_host_has_one_administrator_without_a_password(people: People) -> None:
    (first,) = people.all()
    assert (first.id, first.roles, first.has_password, first.disabled) == ("admin", ("administrator",), False, False)
    assert people.administrator() == "admin"
    with pytest.raises(UnauthenticatedError):
        people.recognize("admin", "")


def test_who_was_added_is_recognized_by_the_password_alone(people: People) -> None:
    people.add(ROOT, "Ann", password=PASSWORD, roles=["member"])

    user = people.recognize("ANN", PASSWORD)

    assert (user.id, user.roles) == ("ann", ("member",))
    assert "plugin:clock:use" in user.permissions
    assert "plugin:clock:manage" not in user.permissions
    for wrong in ("", PASSWORD + "x", PASSWORD[:-1], "\ud800"):
        with pytest.raises(UnauthenticatedError):
            people.recognize("ann", wrong)


def test_the_file_holds_no_password_and_no_token(people: People, tmp_path: Path) -> None:
    people.add(ROOT, "ann", password=PASSWORD)
    token, secret = people.tokens.create(ROOT, "ann", "build")

    with sqlite3.connect(tmp_path / "host.db") as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()

    assert PASSWORD not in dump
    assert secret not in dump
    assert secret.rpartition(f"{token.id}_")[2] not in dump
    assert "$argon2id$v=19$m=65536,t=3,p=4$" in dump


def test_the_same_is_said_of_an_unknown_name_and_of_a_wrong_password(people: People) -> None:
    people.add(ROOT, "ann", password=PASSWORD)
    people.add(ROOT, "off", password=PASSWORD)
    people.set_disabled(ROOT, "off", True)

    said = set()
    for name, password in (("ann", "wrong"), ("nobody", "wrong"), ("off", PASSWORD), ("admin", "wrong")):
        with pytest.raises(UnauthenticatedError) as refusal:
            people.recognize(name, password)
        said.add(refusal.value.text)

    assert len(said) == 1


class CountingHasher(PasswordHasher):
    """Counts how often it had to do the slow work."""

    work = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        CountingHasher.work += 1
        return super().verify(hash, password)


def test_a_password_is_hashed_for_names_that_nobody_has() -> None:
    passwords = Passwords(hasher=CountingHasher())
    kept = passwords.hash(PASSWORD)
    before = CountingHasher.work

    assert [passwords.verify(*one) for one in ((kept, "wrong"), (None, "wrong"), (kept, PASSWORD))] == [
        False,
        False,
        True,
    ]

    assert CountingHasher.work == before + 3


@pytest.mark.parametrize("password", ["", "short", "aaaaaaaaaaaaaaaa", "ann-ann-annnn", "x" * 300, "abcdefghijk\ud800"])
def test_a_bad_password_is_refused(people: People, password: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        people.add(ROOT, "ann-ann-ann" if "ann" in password else "ann", password=password)
    assert refusal.value.faults[0].path == "/password"


@pytest.mark.parametrize("name", ["", "a b", "me", "core", "../x", "ä", "x" * 65, "user:ann", "-ann"])
def test_a_bad_name_is_refused(people: People, name: str) -> None:
    with pytest.raises(InvalidError):
        people.add(ROOT, name)


def test_a_name_is_taken_once(people: People) -> None:
    people.add(ROOT, "ann")
    with pytest.raises(ConflictError):
        people.add(ROOT, "ANN")


def test_a_role_that_is_not_there_cannot_be_given(people: People) -> None:
    with pytest.raises(InvalidError, match="nope"):
        people.add(ROOT, "ann", roles=["nope"])
    with pytest.raises(NotFoundError):
        people.get("ann")


Act = Callable[[People], object]


@pytest.mark.parametrize(
    "act",
    [
        lambda people: people.add(CLERK, "bob", roles=["administrator"]),
        lambda people: people.add(CLERK, "bob", roles=["operator"]),
        lambda people: people.set_roles(CLERK, "ann", ["administrator"]),
        lambda people: people.set_password(CLERK, "admin", PASSWORD),
        lambda people: people.set_disabled(CLERK, "admin", True),
        lambda people: people.remove(CLERK, "admin"),
        lambda people: people.require_above(CLERK, "admin"),
        lambda people: people.end_session(CLERK, "admin", "x"),
        lambda people: people.roles.put(CLERK, "helper", permissions=["*"]),
        lambda people: people.roles.put(CLERK, "operator", permissions=["core:read"]),
        lambda people: people.roles.remove(CLERK, "operator"),
        lambda people: people.tokens.create(CLERK, "admin", "mine"),
        lambda people: people.tokens.create(CLERK, "admin", "mine", permissions=["metrics:read"]),
    ],
)
def test_nobody_gives_more_than_they_have_nor_touches_who_may_do_more(people: People, act: Act) -> None:
    people.add(ROOT, "ann", roles=["member"])
    with pytest.raises(PermissionDeniedError):
        act(people)
    assert [(one.id, one.roles) for one in people.all()] == [("admin", ("administrator",)), ("ann", ("member",))]


def test_a_manager_may_do_what_they_hold(people: People) -> None:
    people.add(CLERK, "ann", roles=["member"])
    people.roles.put(CLERK, "clock-user", permissions=["plugin:clock:use"])
    people.set_roles(CLERK, "ann", ["clock-user"])
    people.set_password(CLERK, "ann", PASSWORD)
    assert people.recognize("ann", PASSWORD).permissions == PermissionSet({"plugin:clock:use"})


@pytest.mark.parametrize(
    "act",
    [
        lambda people: people.set_roles(ROOT, "admin", []),
        lambda people: people.set_disabled(ROOT, "admin", True),
        lambda people: people.remove(ROOT, "admin"),
        lambda people: people.roles.remove(ROOT, "administrator"),
        lambda people: people.roles.put(ROOT, "administrator", permissions=[]),
    ],
)
def test_somebody_who_may_do_everything_is_always_left(people: People, act: Act) -> None:
    with pytest.raises(ConflictError):
        act(people)
    assert people.administrator() == "admin"


def test_what_a_role_may_do_changes_for_everybody_at_once(people: People) -> None:
    people.add(ROOT, "ann", roles=["member"])
    before = people.context("ann")
    people.roles.put(ROOT, "member", permissions=["plugin:clock:use"])
    after = people.context("ann")

    assert before is not None
    assert after is not None
    assert "core:read" in before.permissions
    assert after.permissions == PermissionSet({"plugin:clock:use"})


def test_a_disabled_user_is_nobody_and_loses_sessions(database: HostDatabase) -> None:
    database.people.add(ROOT, "ann", roles=["member"])
    secret = database.sessions.open_session("ann")
    database.people.set_disabled(ROOT, "ann", True)
    assert database.people.context("ann") is None
    assert database.sessions.session_user(secret) is None
    database.people.set_disabled(ROOT, "ann", False)
    assert database.people.context("ann") is not None


def test_a_new_password_ends_the_other_sessions(database: HostDatabase) -> None:
    database.people.add(ROOT, "ann", password=PASSWORD)
    kept, other = database.sessions.open_session("ann"), database.sessions.open_session("ann")
    database.people.set_password(ROOT, "ann", "another good password", keep=database.sessions.session_id(kept))
    assert database.sessions.session_user(kept) == "ann"
    assert database.sessions.session_user(other) is None


def test_of_who_was_removed_nothing_is_left(database: HostDatabase) -> None:
    database.people.add(ROOT, "ann", roles=["member"])
    _, secret = database.people.tokens.create(ROOT, "ann", "build")
    database.preferences.set("clock", "ann", "zone", "UTC")
    session = database.sessions.open_session("ann")

    database.people.remove(ROOT, "ann")
    database.people.add(ROOT, "ann")

    assert database.people.get("ann").roles == ()
    assert database.people.tokens.bearer(secret) is None
    assert database.sessions.session_user(session) is None
    assert database.preferences.get("clock", "ann", "zone") is None


def test_a_token_does_what_both_it_and_its_user_may(people: People) -> None:
    people.add(ROOT, "ann", roles=["member"])
    token, secret = people.tokens.create(ROOT, "ann", "build", permissions=["plugin:clock:use"])

    found = people.tokens.bearer(secret)
    assert found is not None
    assert found[0] == token.id
    assert found[1] == UserContext(id="ann", roles=("member",), permissions=PermissionSet({"plugin:clock:use"}))

    people.set_roles(ROOT, "ann", [])
    found = people.tokens.bearer(secret)
    assert found is not None
    assert found[1].permissions == PermissionSet()


def test_a_token_cannot_hold_what_its_user_does_not(people: People) -> None:
    people.add(ROOT, "ann", roles=["member"])
    with pytest.raises(PermissionDeniedError, match="metrics:read"):
        people.tokens.create(ROOT, "ann", "build", permissions=["metrics:read"])


def test_a_token_expires(timed: People, clock: Clock) -> None:
    timed.add(ROOT, "ann")
    token, secret = timed.tokens.create(ROOT, "ann", "build", expires=clock.now + 60)
    assert timed.tokens.bearer(secret) is not None
    assert token.id in timed.tokens.users()

    clock.now += 60

    assert timed.tokens.bearer(secret) is None
    assert timed.tokens.users() == {}
    with pytest.raises(InvalidError):
        timed.tokens.create(ROOT, "ann", "late", expires=clock.now)


def test_a_revoked_token_is_worthless_at_once(people: People) -> None:
    token, secret = people.tokens.create(ROOT, "admin", "build")
    assert people.tokens.bearer(secret) is not None
    people.tokens.revoke(ROOT, token.id)
    assert people.tokens.bearer(secret) is None


def test_the_tokens_of_a_disabled_user_stop(people: People) -> None:
    people.add(ROOT, "ann")
    _, secret = people.tokens.create(ROOT, "ann", "build")
    assert people.tokens.bearer(secret) is not None
    people.set_disabled(ROOT, "ann", True)
    assert people.tokens.bearer(secret) is None


def test_every_change_is_told_without_a_secret(people: People) -> None:
    told: list[PeopleChange] = []
    people.changes.tell(told.append)

    people.add(ROOT, "ann", password=PASSWORD, roles=["member"])
    token, secret = people.tokens.create(ROOT, "ann", "build")
    people.tokens.revoke(ROOT, token.id)
    people.set_roles(ROOT, "ann", [])
    people.set_password(ROOT, "ann", "another good password")
    people.set_disabled(ROOT, "ann", True)
    people.remove(ROOT, "ann")
    people.roles.put(ROOT, "helper", permissions=["core:read"])
    people.roles.remove(ROOT, "helper")

    assert [change.action for change in told] == [
        "user:create",
        "token:create",
        "token:revoke",
        "user:change-roles",
        "user:change-password",
        "user:disable",
        "user:remove",
        "role:change",
        "role:remove",
    ]
    assert told[0].users == frozenset({"ann"})
    assert told[-1].users is None
    assert not any(hidden in str(told) for hidden in (PASSWORD, secret, "another good password"))


def test_a_data_folder_of_the_version_before_opens_and_works(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "host.db")
    connection.executescript(OLD_FORM)
    secret = "s" * 43
    key = Sessions.session_id(secret)
    connection.execute("INSERT INTO sessions VALUES (?, 'admin', strftime('%s'), strftime('%s'))", (key,))
    connection.commit()
    connection.close()

    database = HostDatabase(tmp_path)
    assert database.choices.get("clock") is False
    assert database.sessions.session_user(secret) == "admin"
    assert [session.id for session in database.people.sessions("admin")] == [key]
    assert database.people.context("admin") is not None
    database.people.add(ROOT, "ann")
    database.close()

    again = HostDatabase(tmp_path)
    assert [account.id for account in again.people.all()] == ["admin", "ann"]
    again.close()


def test_a_data_folder_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    HostDatabase(tmp_path).close()
    connection = sqlite3.connect(tmp_path / "host.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SettingsError, match="later version"):
        HostDatabase(tmp_path)


def test_a_role_that_was_removed_does_not_come_back_with_a_restart(tmp_path: Path) -> None:
    database = HostDatabase(tmp_path)
    database.people.roles.remove(ROOT, "member")
    database.close()
    again = HostDatabase(tmp_path)
    assert [role.name for role in again.people.roles.all()] == ["administrator", "operator"]
    again.close()


def test_a_session_ends_when_unused_and_at_the_latest_when_its_time_is_over(
    database: HostDatabase, tmp_path: Path, clock: Clock
) -> None:
    engine = open_engine(tmp_path / "host.db")
    sessions = Sessions(engine, idle=100.0, lifetime=250.0, now=clock)
    used, unused = sessions.open_session("ann"), sessions.open_session("ann")

    clock.now += 90
    assert sessions.session_user(used) == "ann"
    clock.now += 90
    assert sessions.session_user(used) == "ann"
    assert sessions.session_user(unused) is None
    assert sessions.users() == {sessions.session_id(used): "ann"}
    clock.now += 80
    assert sessions.session_user(used) is None
    assert sessions.users() == {}
    assert sessions.of_user("ann") == []
    engine.dispose()


class SlowHasher(PasswordHasher):
    """Does not end until it is told to."""

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        SlowHasher.at_work.release()
        SlowHasher.go_on.wait(30.0)
        return "x"

    at_work = threading.Semaphore(0)
    go_on = threading.Event()


def test_few_passwords_are_hashed_at_a_time_and_nobody_waits_for_ever() -> None:
    passwords = Passwords(patience=0.05, hasher=SlowHasher())
    threads = [threading.Thread(target=passwords.hash, args=("a password",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in threads:
            assert SlowHasher.at_work.acquire(timeout=30.0)
        with pytest.raises(BusyError):
            passwords.hash("a password")
    finally:
        SlowHasher.go_on.set()
        for thread in threads:
            thread.join(30.0)
