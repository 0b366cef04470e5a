"""Remember who is signed in, and which sign-in codes are used up."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from corehost.state.engine import reading, writing
from corehost.state.tables import sessions, used_codes

IDLE_SECONDS = 14 * 86_400
_SEEN_SECONDS = 60


class Sessions:
    """Browser sessions; only hashes of their secrets are stored, so the file gives nobody a way in."""

    def __init__(self, engine: Engine, *, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._now = now

    def open_session(self, user_id: str) -> str:
        """Begin a session of *user_id* and return its secret, which goes into the cookie."""
        secret = secrets.token_urlsafe(32)
        now = self._now()
        with writing(self._engine) as connection:
            connection.execute(delete(sessions).where(sessions.c.seen < now - IDLE_SECONDS))
            values = {"id": self.session_id(secret), "user": user_id, "created": now, "seen": now}
            connection.execute(insert(sessions).values(values))
        return secret

    def session_user(self, secret: str) -> str | None:
        """Return whose session this is; ``None`` for an unknown, ended or long unused one."""
        key, now = self.session_id(secret), self._now()
        with reading(self._engine) as connection:
            row = connection.execute(select(sessions.c.user, sessions.c.seen).where(sessions.c.id == key)).first()
        if row is None or row.seen < now - IDLE_SECONDS:
            return None
        if row.seen < now - _SEEN_SECONDS:  # noted once a minute: a write for each request would cost a sync each
            with writing(self._engine) as connection:
                connection.execute(update(sessions).where(sessions.c.id == key).values(seen=now))
        return str(row.user)

    def end_session(self, secret: str) -> None:
        """End a session; an unknown one is no error."""
        with writing(self._engine) as connection:
            connection.execute(delete(sessions).where(sessions.c.id == self.session_id(secret)))

    def use_code(self, code_hash: str) -> bool:
        """Use a sign-in code up; return whether it was still unused. Of two at once, one gets ``True``."""
        with writing(self._engine) as connection:
            added = insert(used_codes).values(hash=code_hash, used=self._now()).on_conflict_do_nothing()
            return connection.execute(added).rowcount == 1

    @staticmethod
    def session_id(secret: str) -> str:
        """Return the public id of the session with *secret*; nobody can sign in with it."""
        return hashlib.sha256(secret.encode()).hexdigest()[:32]
