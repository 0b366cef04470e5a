"""What led to what this thread is doing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import msgspec

from corehost.contract.user import UserContext


class Trail(msgspec.Struct, frozen=True, kw_only=True):
    """Why something happens: the message being handled, how many came before it, and who is behind it all.

    ``cause`` is that message's id; ``deadline`` is on the clock of ``time.monotonic``, ``None`` where nobody
    waits; ``session`` is the browser session.
    """

    cause: str | None = None
    hops: int = 0
    deadline: float | None = None
    user: UserContext | None = None
    session: str | None = None

    def its_trail(self) -> Trail:
        """Return itself: a trail is a ``Step``, too."""
        return self

    def after(self, message_id: str, *, deadline: float | None = None) -> Trail:
        """Return the trail of whatever handles the message that was sent on this trail."""
        return Trail(cause=message_id, hops=self.hops + 1, deadline=deadline, user=self.user, session=self.session)


class Step(Protocol):
    """Something under way that can tell its trail when asked; most are never asked."""

    def its_trail(self) -> Trail:
        """Return the trail of what happens inside this step."""


NO_TRAIL = Trail()

# A context variable has to be global: it is what carries the trail through a plugin's code, threads and tasks.
_current: ContextVar[Step] = ContextVar("corehost_trail", default=NO_TRAIL)

current_step: Callable[[], Step] = _current.get
"""Returns what this thread or task is doing, ``NO_TRAIL`` where nothing led here."""


def current_trail() -> Trail:
    """Return the trail of what this thread or task is doing; an empty one where nothing led here."""
    return current_step().its_trail()


step_into: Callable[[Step], object] = _current.set
"""Makes a step the trail of this thread until the next; for threads that do one step after another."""


@contextmanager
def entered(trail: Trail) -> Iterator[None]:
    """Do what follows on *trail*."""
    token = _current.set(trail)
    try:
        yield
    finally:
        _current.reset(token)
