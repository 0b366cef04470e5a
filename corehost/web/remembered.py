"""Remember for a few seconds whose session a secret is."""

from __future__ import annotations

import threading
import time
from typing import Any, Protocol


class Sessions(Protocol):
    """Where sessions and used codes are kept."""

    def open_session(self, user_id: str, *, agent: str = "", address: str = "") -> str: ...
    def session_user(self, secret: str) -> str | None: ...
    def end_session(self, secret: str) -> None: ...
    def use_code(self, code_hash: str) -> bool: ...
    def session_id(self, secret: str) -> str: ...


class RememberedSessions:
    """Sessions whose user is looked up once in a few seconds: a query for each request would cost half of it."""

    def __init__(self, sessions: Sessions, *, seconds: float = 5.0, most: int = 1_024) -> None:
        self._sessions = sessions
        self._seconds = seconds
        self._most = most
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, float]] = {}
        self._ends = 0

    def session_user(self, secret: str) -> str | None:
        """Return whose session this is."""
        known = self._known.get(secret)
        if known is not None and known[1] > time.monotonic():
            return known[0]
        ends = self._ends
        user = self._sessions.session_user(secret)
        with self._lock:
            # A session that ended while it was looked up must not come back.
            if user is not None and ends == self._ends:
                if len(self._known) >= self._most:
                    self._known.clear()
                self._known[secret] = (user, time.monotonic() + self._seconds)
        return user

    def end_session(self, secret: str) -> None:
        """End a session, from this moment on."""
        self._sessions.end_session(secret)
        with self._lock:
            self._ends += 1
            self._known.pop(secret, None)

    def forget(self, _: Any = None) -> None:
        """Look all sessions up anew: some of them may have ended."""
        with self._lock:
            self._ends += 1
            self._known.clear()

    def open_session(self, user_id: str, *, agent: str = "", address: str = "") -> str:
        """Begin a session and return its secret."""
        return self._sessions.open_session(user_id, agent=agent, address=address)

    def use_code(self, code_hash: str) -> bool:
        """Use a sign-in code up; return whether it was still unused."""
        return self._sessions.use_code(code_hash)

    def session_id(self, secret: str) -> str:
        """Return the public id of a session."""
        return self._sessions.session_id(secret)
