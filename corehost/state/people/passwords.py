"""Hash and verify passwords with argon2id, a few at a time."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from corehost.contract.errors import BusyError, Fault, InvalidError

LEAST: Final = 12
MOST: Final = 256
_AT_ONCE: Final = 2
_PATIENCE: Final = 5.0


class Passwords:
    """Hashes and verifies. RFC 9106's second choice: 64 MiB and three passes, which argon2-cffi takes by default.

    At most two are at work at a time: many sign-ins must not eat all memory. Whoever waits longer than *patience*
    seconds gets ``BusyError``.
    """

    def __init__(self, *, patience: float = _PATIENCE, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        self._patience = patience
        self._lock = threading.Lock()
        self._nobodys: str | None = None

    def check(self, user_id: str, password: str) -> None:
        """Raise ``InvalidError`` for a password that is too short, too long or the name itself."""
        if not LEAST <= len(password) <= MOST or _is_garbled(password):
            text = f"Must be {LEAST} to {MOST} characters long; a few words in a row are easy to remember."
        elif len(set(password)) < 4 or (user_id in password.lower() and len(password) < len(user_id) + LEAST // 2):
            text = "Is too easy to guess. Take a few words that do not belong together."
        else:
            return
        raise InvalidError("This password cannot be used.", [Fault(path="/password", message=text)])

    def hash(self, password: str) -> str:
        """Return the hash to keep."""
        with self._place():
            return self._hasher.hash(password)

    def verify(self, kept: str | None, password: str) -> bool:
        """Tell whether *password* belongs to the hash; as much work is done where there is none.

        So the time of an answer does not tell which names exist.
        """
        nobodys = self._hash_of_nobody()
        with self._place():
            try:
                self._hasher.verify(kept or nobodys, password[: MOST + 1])
            except (Argon2Error, InvalidHashError, UnicodeError):
                return False
        return kept is not None

    def is_outdated(self, kept: str) -> bool:
        """Tell whether a hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _hash_of_nobody(self) -> str:
        # Made by whoever comes first, known name or not: the first answer is slow for both alike.
        with self._lock:
            if self._nobodys is None:
                self._nobodys = self._hasher.hash(secrets.token_urlsafe(16))
            return self._nobodys

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=self._patience):
            raise BusyError("Too many passwords are being checked. Try again in a moment.")
        try:
            yield
        finally:
            self._places.release()


def _is_garbled(text: str) -> bool:
    """Tell whether *text* holds half of a surrogate pair, which no form sends and no hash takes."""
    return any("\ud800" <= letter <= "\udfff" for letter in text)
