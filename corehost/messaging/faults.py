"""Where the bus tells what plugins did wrong and how long they took."""

from __future__ import annotations

from typing import Protocol

from corehost.contract.message import Message


class FaultSink(Protocol):
    """Keeps the account of each plugin. Its methods are called from any thread, with no lock held, and never raise."""

    def charge(self, owner: str, error: BaseException, *, where: str, message: Message | None = None) -> None:
        """Charge *owner* for *error*, which its code raised in a ``handler``, ``request``, ``filter``, …"""

    def quarantine(self, owner: str, reason: str) -> None:
        """Switch *owner* off, as it does not give back its threads; must not wait for that."""

    def took(self, owner: str, what: str, seconds: float) -> None:
        """Note that *owner* worked for *seconds*; a lane tells once for each run of its thread, not each message."""
