"""Tell those who depend on it that something about people has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from corehost.contract.people import PeopleChange
from corehost.contract.user import UserContext

Told = Callable[[PeopleChange], Any]


class Changes:
    """Who is told, in order: whoever remembers an answer forgets it before others act on the change."""

    def __init__(self) -> None:
        self._told: list[Told] = []
        self._lock = threading.Lock()
        self.count = 0  # read before something is looked up, it tells afterwards whether that still holds

    def tell(self, told: Told) -> None:
        """Have *told* called after each change, in the thread that made it, once it is on disk."""
        self._told.append(told)

    def touch(self) -> None:
        """Count one more change, of which nobody needs to be told."""
        with self._lock:
            self.count += 1

    def made(
        self, action: str, users: frozenset[str] | None, *, actor: UserContext, subject: str, **detail: str
    ) -> None:
        """Tell of one change."""
        self.touch()
        facts = tuple(sorted(detail.items()))
        change = PeopleChange(action=action, users=users, actor=f"user:{actor.id}", subject=subject, detail=facts)
        for told in self._told:
            told(change)
