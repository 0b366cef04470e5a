"""Remember who is signed in, and which sign-in codes are used up."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import ColumnElement, Engine, and_, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from corehost.contract.people import BrowserSession
from corehost.state.engine import reading, writing
from corehost.state.tables import sessions, used_codes

IDLE_SECONDS: Final = 14 * 86_400
LIFETIME_SECONDS: Final = 30 * 86_400
_SEEN_SECONDS = 60


class Sessions:
    """Browser sessions; only hashes of their secrets are stored, so the file gives nobody a way in.

    A session ends when it was not used for *idle* seconds, and at the latest *lifetime* seconds after the sign-in.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        idle: float = IDLE_SECONDS,
        lifetime: float = LIFETIME_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.idle = idle
        self.lifetime = lifetime
        self._engine = engine
        self._now = now

    def open_session(self, user_id: str, *, agent: str = "", address: str = "") -> str:
        """Begin a session of *user_id* and return its secret, which goes into the cookie.

        *agent* and *address* are what the browser said and where it was, for the user to know it by.
        """
        secret = secrets.token_urlsafe(32)
        now = self._now()
        with writing(self._engine) as connection:
            connection.execute(delete(sessions).where(~self._is_live()))
            values = {"id": self.session_id(secret), "user": user_id, "created": now, "seen": now}
            connection.execute(insert(sessions).values(**values, agent=agent[:300], address=address[:64]))
        return secret

    def session_user(self, secret: str) -> str | None:
        """Return whose session this is; ``None`` for an unknown, ended or long unused one."""
        key, now = self.session_id(secret), self._now()
        query = select(sessions.c.user, sessions.c.seen).where(sessions.c.id == key, self._is_live())
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        if row.seen < now - _SEEN_SECONDS:  # noted once a minute: a write for each request would cost a sync each
            with writing(self._engine) as connection:
                connection.execute(update(sessions).where(sessions.c.id == key).values(seen=now))
        return str(row.user)

    def end_session(self, secret: str) -> None:
        """End a session; an unknown one is no error."""
        with writing(self._engine) as connection:
            connection.execute(delete(sessions).where(sessions.c.id == self.session_id(secret)))

    def end_by_id(self, session_id: str, user_id: str) -> bool:
        """End a session by its public id; return whether this user had it."""
        with writing(self._engine) as connection:
            ended = delete(sessions).where(sessions.c.id == session_id, sessions.c.user == user_id)
            return connection.execute(ended).rowcount == 1

    def end_sessions(self, user_id: str, *, keep: str | None = None) -> None:
        """End all sessions of a user, but for the one with the id *keep*."""
        with writing(self._engine) as connection:
            connection.execute(delete(sessions).where(sessions.c.user == user_id, sessions.c.id != (keep or "")))

    def of_user(self, user_id: str) -> list[BrowserSession]:
        """Return the sessions of a user that have not ended, the one used last first."""
        query = select(sessions).where(sessions.c.user == user_id, self._is_live()).order_by(sessions.c.seen.desc())
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return [
            BrowserSession(
                id=row.id,
                user=row.user,
                created=row.created,
                seen=row.seen,
                expires=min(row.created + self.lifetime, row.seen + self.idle),
                agent=row.agent or "",
                address=row.address or "",
            )
            for row in rows
        ]

    def users(self) -> dict[str, str]:
        """Return whose each session is that has not ended, by its public id."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(sessions.c.id, sessions.c.user).where(self._is_live()))
            return {row.id: row.user for row in rows}

    def use_code(self, code_hash: str) -> bool:
        """Use a sign-in code up; return whether it was still unused. Of two at once, one gets ``True``."""
        with writing(self._engine) as connection:
            added = insert(used_codes).values(hash=code_hash, used=self._now()).on_conflict_do_nothing()
            return connection.execute(added).rowcount == 1

    @staticmethod
    def session_id(secret: str) -> str:
        """Return the public id of the session with *secret*; nobody can sign in with it."""
        return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()[:32]

    def _is_live(self) -> ColumnElement[bool]:
        now = self._now()
        return and_(sessions.c.seen >= now - self.idle, sessions.c.created >= now - self.lifetime)
