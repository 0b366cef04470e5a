from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from corehost import PermissionSet, UserContext
from corehost.state.database import HostDatabase
from corehost.web.caller import Caller
from corehost.web.relay.backend import Identity
from corehost.web.standing import Standing

ROOT = UserContext(id="admin", permissions=PermissionSet({"*"}))


class Connections:
    """Connections that are only names."""

    def __init__(self) -> None:
        self.open: list[Identity] = []
        self.ended: list[tuple[str, int]] = []

    def clients(self) -> list[Identity]:
        return list(self.open)

    def cut(self, identity: Identity, *, code: int = 1008, reason: str = "") -> None:
        self.ended.append((identity.user.id, code))


class Gatehouse:
    """A database of people, and their connections."""

    def __init__(self, folder: Path) -> None:
        self.database = HostDatabase(folder)
        self.people = self.database.people
        self.connections = Connections()
        self.enabled = {"proxy"}
        self.standing = Standing(
            self.connections, self.people, self.database.sessions, is_enabled=self.enabled.__contains__
        )

    def in_browser(self, name: str) -> Identity:
        """Return somebody as the gate would let them in."""
        mark = self.people.changes.count
        secret = self.database.sessions.open_session(name)
        user = self.people.context(name)
        assert user is not None
        session = self.database.sessions.session_id(secret)
        return self._identity(Caller(user=user, session=session, via="cookie", mark=mark))

    def by_plugin(self, name: str) -> Identity:
        return self._identity(Caller(user=UserContext(id=name), session=None, via="token", plugin="proxy"))

    def _identity(self, caller: Caller) -> Identity:
        return Identity(user=caller.user, session=caller.session, view=caller.user.permissions, proof=caller)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Gatehouse]:
    made = Gatehouse(tmp_path)
    for name in ("ann", "bob"):
        made.people.add(ROOT, name, roles=["member"])
    yield made
    made.database.close()


def test_who_came_while_their_role_changed_is_cut_off(house: Gatehouse) -> None:
    house.people.changes.tell(house.standing.changed)
    ann = house.in_browser("ann")  # let in by the gate, not yet taken over
    house.people.set_roles(ROOT, "ann", [])
    assert house.connections.ended == []

    house.standing.arrived(ann)

    assert house.connections.ended == [("ann", 1012)]


def test_who_came_while_they_signed_out_is_cut_off(house: Gatehouse) -> None:
    ann = house.in_browser("ann")
    assert ann.session is not None
    house.database.sessions.end_by_id(ann.session, "ann")
    house.people.changes.touch()
    house.standing.arrived(ann)
    assert house.connections.ended == [("ann", 1008)]


def test_who_came_while_nothing_changed_for_them_stays(house: Gatehouse) -> None:
    ann = house.in_browser("ann")
    house.standing.arrived(ann)
    house.people.set_roles(ROOT, "bob", [])
    house.standing.arrived(ann)
    assert house.connections.ended == []


def test_a_change_is_looked_at_for_those_whom_it_touches(house: Gatehouse) -> None:
    house.people.changes.tell(house.standing.changed)
    house.connections.open = [house.in_browser("ann"), house.in_browser("bob")]
    house.people.set_disabled(ROOT, "bob", True)
    assert house.connections.ended == [("bob", 1008)]

    house.people.roles.put(ROOT, "member", permissions=["core:read"])
    assert house.connections.ended[1:] == [("ann", 1012), ("bob", 1008)]


def test_a_change_that_takes_nothing_away_cuts_nobody_off(house: Gatehouse) -> None:
    house.people.changes.tell(house.standing.changed)
    house.connections.open = [house.in_browser("ann")]
    house.people.tokens.create(ROOT, "ann", "build")
    house.people.roles.put(ROOT, "other", permissions=["core:read"])
    assert house.connections.ended == []


def test_whom_a_plugin_vouches_for_goes_with_the_plugin(house: Gatehouse) -> None:
    house.connections.open = [house.by_plugin("zoe")]
    house.standing.check()
    assert house.connections.ended == []
    house.enabled.clear()
    house.standing.check()
    assert house.connections.ended == [("zoe", 1012)]


def test_all_or_some_are_called_back(house: Gatehouse) -> None:
    house.connections.open = [house.in_browser("ann"), house.in_browser("bob")]
    house.standing.recall(frozenset({"bob"}))
    house.standing.recall()
    assert house.connections.ended == [("bob", 1012), ("ann", 1012), ("bob", 1012)]
