"""Charge plugins whose messages found no room, or who left none."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from corehost.messaging.dead import DeadLetter, DeadLetters
from corehost.plugins.faults import Faults
from corehost.plugins.registry import Registry

_HOLDS = 10.0
"""Seconds for which a lane that stood still is still to blame for what it had no room for."""


class Overflow:
    """Looks now and then at what lanes had no room for; the senders are never slowed down by it.

    The sender is to blame, who sent more than could be handled, unless the lane stood still: then it is its owner.
    """

    def __init__(self, letters: DeadLetters, registry: Registry, faults: Faults) -> None:
        self._letters = letters
        self._registry = registry
        self._faults = faults
        self._counted: Counter[str] = Counter()
        self._looked_at = time.time()

    def look(self) -> None:
        """Charge what was lost since the last look."""
        counts = {owner: n for (owner, reason), n in self._letters.counts().items() if reason == "overflow"}
        lost = Counter(counts) - self._counted
        if not lost:
            return
        since, self._looked_at = self._looked_at, time.time()
        self._counted = Counter(counts)
        fresh = [one for one in self._letters.newest() if one.reason == "overflow" and one.at >= since]
        for owner, count in lost.items():
            self._charge(owner, count, [letter for letter in fresh if letter.owner == owner])

    def _charge(self, owner: str, count: int, letters: Iterable[DeadLetter]) -> None:
        if self._faults.was_blocked(owner, _HOLDS):
            text = f"{count} messages found no room, as its lane stood still."
            self._faults.overflowed(owner, count, text)
            return
        # Only the newest letters are kept: who lost how many of all is told by their share of these.
        sources = Counter(letter.message.source for letter in letters if letter.message is not None)
        known = sum(sources.values())
        for source, seen in sources.items():
            if self._registry.find(source) is not None:
                share = max(1, round(count * seen / known))
                text = f"{share} of its messages found no room in the lane of {owner!r}. Send fewer, or with 'wait'."
                self._faults.overflowed(source, share, text)
