"""Where the bus tells what plugins did wrong and how long they took."""

from __future__ import annotations

from dataclasses import dataclass
from types import FrameType
from typing import Protocol

from corehost.contract.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Blockage:
    """A lane that stands still: in what, for which message, for how many seconds so far, and its thread's frame."""

    where: str
    message: Message | None
    seconds: float
    frame: FrameType | None


class FaultSink(Protocol):
    """Keeps the account of each plugin. Its methods are called from any thread, with no lock held, and never raise."""

    def charge(self, owner: str, error: BaseException, *, where: str, message: Message | None = None) -> None:
        """Charge *owner* for *error*, which its code raised in a ``handler``, ``request``, ``filter``, …"""

    def quarantine(self, owner: str, reason: str) -> None:
        """Switch *owner* off, as it does not give back its threads; must not wait for that."""

    def took(
        self,
        owner: str,
        what: str,
        seconds: float,
        *,
        count: int = 1,
        lag: float | None = None,
        is_part: bool = False,
    ) -> None:
        """Note that *owner* worked for *seconds* on *count* pieces of work.

        A lane tells once for each run of its thread, not each message; *lag* is then the time from send to handle of
        the first. With *is_part*, the time will be told again by this thread, within its lane's. It may hold up the
        lane's thread for a while, if the owner is to be slowed down.
        """

    def blocked(self, owner: str, blockage: Blockage) -> None:
        """Note that the lane of *owner* stands still; told once for each time."""

    def unblocked(self, owner: str, seconds: float) -> None:
        """Note that it goes on, after *seconds*."""
