"""What is written down of each plugin and version: errors, refusals, times, and the evidence."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from corehost.plugins.figures import Figures

KEPT_FAULTS = 8
KEPT_BLOCKAGES = 4
KEPT_VERSIONS = 4
"""Versions of one plugin whose accounts are kept; labels of metrics must not grow for ever."""
USERS = "users"
"""In whose name the refusals of all people are counted together."""


@dataclass(slots=True, kw_only=True)
class Account:
    """The account of one version of a plugin; ``blocked`` is since when its lane stands still, by ``time.time``."""

    errors: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    figures: Figures = field(default_factory=Figures)
    faults: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT_FAULTS))
    blockages: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=KEPT_BLOCKAGES))
    blockages_told: Counter[str] = field(default_factory=Counter)
    blocked: float | None = None
    left: tuple[str, ...] = ()

    def totals(self) -> dict[str, Any]:
        """Return the counters as JSON."""
        return {
            "errors": dict(self.errors),
            "refusals": dict(self.refusals),
            "blockages": dict(self.blockages_told),
            "calls": dict(self.figures.counts()),
            "seconds": dict(self.figures.seconds()),
        }

    def evidence(self) -> dict[str, Any]:
        """Return as JSON the last faults and blockages, the newest last, and what was left behind."""
        return {"faults": list(self.faults), "stuck": list(self.blockages), "left": list(self.left)}


class Accounts:
    """All accounts, by plugin and version. Not safe for threads: its owner holds a lock."""

    def __init__(self) -> None:
        self.version_of: Callable[[str], str] = lambda _: ""
        self._accounts: dict[tuple[str, str], Account] = {}

    def of(self, owner: str, version: str | None = None) -> Account:
        """Return the account of a version of *owner*, of the present one if none is named."""
        key = owner, self.version_of(owner) if version is None else version
        account = self._accounts.get(key)
        return self._opened(key) if account is None else account

    def all(self) -> Iterator[tuple[tuple[str, str], Account]]:
        """Yield each plugin and version with its account."""
        yield from self._accounts.items()

    def _opened(self, key: tuple[str, str]) -> Account:
        of_plugin = [known for known in self._accounts if known[0] == key[0]]
        for old in of_plugin[: max(0, len(of_plugin) - KEPT_VERSIONS + 1)]:
            del self._accounts[old]
        account = self._accounts[key] = Account()
        return account
