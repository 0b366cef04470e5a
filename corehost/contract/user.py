"""Who is behind a call, and whether the caller still waits."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from corehost.contract.errors import AbortedError
from corehost.contract.permissions import PermissionSet


@dataclass(frozen=True, slots=True, kw_only=True)
class UserContext:
    """A signed-in person or a token's owner. (Specification, ``UserContext``.)

    ``permissions`` answers ``in`` for all that it covers, so an administrator's ``*`` covers everything.
    """

    id: str
    roles: tuple[str, ...] = ()
    permissions: PermissionSet = PermissionSet()


class Signal:
    """Tells a running call that its caller no longer waits; the deadline passed or the caller gave up.

    ``deadline`` is on the clock of ``time.monotonic``, ``None`` for no limit. (The specification's AbortSignal.)
    """

    __slots__ = ("_is_aborted", "_waiting", "deadline")

    def __init__(self, deadline: float | None = None) -> None:
        self.deadline = deadline
        self._is_aborted = False
        self._waiting: list[threading.Event] = []  # of those who wait: nearly no call does

    @property
    def aborted(self) -> bool:
        """Whether the caller has gone or the deadline has passed."""
        return self._is_aborted or (self.deadline is not None and time.monotonic() >= self.deadline)

    def abort(self) -> None:
        """Say that nobody waits any more; called by the host."""
        self._is_aborted = True
        for told in tuple(self._waiting):
            told.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until aborted, at most *timeout* seconds; return whether it is."""
        left = None if self.deadline is None else max(0.0, self.deadline - time.monotonic())
        limits = [limit for limit in (timeout, left) if limit is not None]
        told = threading.Event()
        self._waiting.append(told)
        if not self._is_aborted:  # looked at once it is on the list, which abort() goes through afterwards
            told.wait(min(limits) if limits else None)
        self._waiting.remove(told)
        return self.aborted

    def raise_if_aborted(self) -> None:
        """Raise ``AbortedError`` if nobody waits any more."""
        if self.aborted:
            raise AbortedError("The caller no longer waits for this call.")
