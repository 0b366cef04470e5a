"""Let people in: by a one-use code, by name and password, or by the word of a provider."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from typing import Final

from corehost.contract.errors import Fault, InvalidError, UnauthenticatedError
from corehost.contract.user import UserContext
from corehost.state.people.people import People
from corehost.web.attempts import Attempts
from corehost.web.remembered import Sessions

CODE_SECONDS: Final = 900
"""How long a further sign-in code is good."""


class Entrance:
    """Opens sessions. The first *code*, of the printed link, signs the longest-standing administrator in."""

    def __init__(self, sessions: Sessions, people: People, attempts: Attempts, *, code: str | None) -> None:
        self._sessions = sessions
        self._people = people
        self._attempts = attempts
        self._lock = threading.Lock()
        # The code of the printed link stays good until it is used; later ones end by themselves.
        self._codes: dict[str, tuple[float, str | None]] = {_hash(code): (float("inf"), None)} if code else {}

    def new_code(self, user_id: str | None = None) -> str:
        """Return a further code that signs *user_id* in, an administrator if ``None``; once, within a quarter hour."""
        code = secrets.token_urlsafe(32)
        now = time.monotonic()
        with self._lock:
            self._codes = {known: entry for known, entry in self._codes.items() if entry[0] > now}
            self._codes[_hash(code)] = (now + CODE_SECONDS, user_id)
        return code

    def owner_of(self, code: str) -> str | None:
        """Return whom a good code would sign in, without using it up."""
        with self._lock:
            end, user_id = self._codes.get(_hash(code), (0.0, None))
        return None if end <= time.monotonic() else user_id or self._people.administrator()

    def by_code(self, code: str, *, agent: str = "", address: str = "") -> tuple[str, UserContext]:
        """Use up *code* and return the secret of a new session and its user; raises ``UnauthenticatedError``."""
        owner = self.owner_of(code)
        if owner is None or not self._sessions.use_code(_hash(code)):
            raise UnauthenticatedError(
                "This sign-in link has been used, or it is too old. Ask for a new one: corehost user link NAME."
            )
        user = self._people.context(owner)
        if user is None:
            raise UnauthenticatedError(f"The account {owner!r} is disabled or removed.")
        return self.open(user, agent=agent, address=address), user

    def by_password(self, name: str, password: str, *, agent: str = "", address: str = "") -> tuple[str, UserContext]:
        """Return the secret of a new session and its user.

        Raises ``UnauthenticatedError``, the same for a name that nobody has, and ``TooManyAttemptsError``.
        """
        user = self.proven(name, password, address=address)
        return self.open(user, agent=agent, address=address), user

    def proven(self, name: str, password: str, *, address: str) -> UserContext:
        """Return who has this name and password; raises as ``by_password`` does."""
        self._attempts.begin(name, address)
        user = self._people.recognize(name, password)
        self._attempts.succeeded(name, address)
        return user

    def require_password(self, user_id: str, password: str, *, address: str) -> None:
        """Raise ``InvalidError`` unless this is the password that the user, who is signed in, has now."""
        try:
            self.proven(user_id, password, address=address)
        except UnauthenticatedError:
            wrong = Fault(path="/current", message="Is not your password.")
            raise InvalidError("The password was not changed.", [wrong]) from None

    def open(self, user: UserContext, *, agent: str = "", address: str = "") -> str:
        """Begin a session of somebody who has proven themselves and return its secret."""
        self._people.entered(user.id)
        return self._sessions.open_session(user.id, agent=agent, address=address)

    def end(self, secret: str) -> None:
        """End the session with this secret."""
        self._sessions.end_session(secret)
        self._people.changes.touch()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
