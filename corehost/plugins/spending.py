"""Keep what each plugin has spent of its budgets, and say when it has spent too much."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

from corehost.contract.budgets import BUDGETS, Allowance

MINUTE = 60.0
Verdict = Literal["throttle", "quarantine"]


@dataclass(slots=True, kw_only=True)
class _Purse:
    """What was spent of one kind; it is forgotten at the pace at which it may be spent."""

    level: float = 0.0
    at: float = 0.0

    def spend(self, amount: float, limit: float, now: float) -> float:
        self.level = max(0.0, self.level - limit / MINUTE * (now - self.at)) + amount
        self.at = now
        return self.level


@dataclass(slots=True, kw_only=True)
class _Owner:
    purses: dict[str, _Purse] = field(default_factory=dict)
    throttled_at: float | None = None
    is_gone: bool = False


class Spending:
    """The purses of all plugins, by plugin and version. Not safe for threads: its owner holds a lock.

    Who spends more than a budget in a minute is to be throttled for a minute; who spends a whole budget again
    while throttled is to be quarantined. Each is said once.
    """

    def __init__(self, allowance: Allowance | None = None) -> None:
        self.allowance = allowance or Allowance()
        self._owners: dict[tuple[str, str], _Owner] = {}

    def spend(self, plugin_id: str, version: str, kind: str, amount: float) -> Verdict | None:
        """Take *amount* of *kind* from the plugin's budget; return what it has brought upon itself, if anything."""
        limit = self.allowance.limit(plugin_id, kind)
        if limit is None:
            return None
        owner = self._owners.setdefault((plugin_id, version), _Owner())
        level = owner.purses.setdefault(kind, _Purse()).spend(amount, limit, time.monotonic())
        if level <= limit or owner.is_gone:
            return None
        if owner.throttled_at is None:
            owner.throttled_at = time.monotonic()
            owner.purses.clear()  # what it does from now on, it does in spite of being held back
            return "throttle"
        owner.is_gone = True
        return "quarantine"

    def forgive(self, plugin_id: str, version: str) -> None:
        """Begin anew: its minute is over, or it was loaded anew."""
        self._owners.pop((plugin_id, version), None)

    def used(self, plugin_id: str, version: str) -> dict[str, dict[str, float | None]]:
        """Return as JSON, by kind, what is spent of the budget of a minute and its limit."""
        owner = self._owners.get((plugin_id, version))
        found: dict[str, dict[str, float | None]] = {}
        for kind in BUDGETS:
            limit = self.allowance.limit(plugin_id, kind)
            purse = owner.purses.get(kind) if owner else None
            now = time.monotonic()
            used = 0.0 if purse is None or limit is None else purse.spend(0.0, limit, now)
            found[kind] = {"used": round(used, 3), "limit": limit}
        return found
