from __future__ import annotations

import threading

from corehost.web.remembered import RememberedSessions


class CountingSessions:
    """Sessions in memory that count how often they are asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.open: dict[str, str] = {"s": "admin"}
        self.in_lookup = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def open_session(self, user_id: str, *, agent: str = "", address: str = "") -> str:
        self.open["new"] = user_id
        return "new"

    def session_user(self, secret: str) -> str | None:
        self.asked += 1
        user = self.open.get(secret)
        self.in_lookup.set()
        self.go_on.wait(5.0)
        return user

    def end_session(self, secret: str) -> None:
        self.open.pop(secret, None)

    def use_code(self, code_hash: str) -> bool:
        return True

    def session_id(self, secret: str) -> str:
        return f"id-{secret}"


def test_a_session_is_looked_up_once_in_a_while() -> None:
    stored = CountingSessions()
    sessions = RememberedSessions(stored, seconds=60.0)

    assert [sessions.session_user("s") for _ in range(5)] == ["admin"] * 5
    assert stored.asked == 1


def test_what_was_remembered_is_looked_up_again_later() -> None:
    stored = CountingSessions()
    sessions = RememberedSessions(stored, seconds=0.0)
    sessions.session_user("s")
    stored.open.clear()

    assert sessions.session_user("s") is None


def test_an_unknown_session_is_not_remembered() -> None:
    stored = CountingSessions()
    sessions = RememberedSessions(stored)
    assert sessions.session_user("new") is None

    sessions.open_session("admin")

    assert sessions.session_user("new") == "admin"


def test_an_ended_session_is_forgotten_at_once() -> None:
    sessions = RememberedSessions(CountingSessions(), seconds=60.0)
    sessions.session_user("s")

    sessions.end_session("s")

    assert sessions.session_user("s") is None


def test_a_session_that_ends_while_it_is_looked_up_does_not_come_back() -> None:
    stored = CountingSessions()
    sessions = RememberedSessions(stored, seconds=60.0)
    stored.go_on.clear()
    looking = threading.Thread(target=sessions.session_user, args=("s",))
    looking.start()
    assert stored.in_lookup.wait(5.0)

    sessions.end_session("s")
    stored.go_on.set()
    looking.join(5.0)

    assert sessions.session_user("s") is None


def test_what_is_remembered_stays_bounded() -> None:
    stored = CountingSessions()
    stored.open = {str(number): "admin" for number in range(50)}
    sessions = RememberedSessions(stored, seconds=60.0, most=10)

    for number in range(50):
        sessions.session_user(str(number))
    asked = stored.asked

    sessions.session_user("0")
    assert stored.asked == asked + 1  # the oldest were dropped
