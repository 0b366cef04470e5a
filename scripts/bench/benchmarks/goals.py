"""What must be reached, and whether it is."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from benchmarks.figures import short

Bound = Literal["≥", "≤"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """*value* must be at least, or at most, *wanted*; ``None``: it was not measured, which is a miss, too."""

    text: str
    bound: Bound
    wanted: float
    value: float | None

    @property
    def is_met(self) -> bool:
        """Whether it is reached."""
        if self.value is None or math.isnan(self.value):
            return False
        return self.value >= self.wanted if self.bound == "≥" else self.value <= self.wanted

    def __str__(self) -> str:
        found = "not measured" if self.value is None else short(self.value)
        return f"{'reached' if self.is_met else 'MISSED '}  {self.text} {self.bound} {short(self.wanted)}: {found}"


def at_least(text: str, wanted: float, value: float | None) -> Goal:
    """Return the goal that *value* is not below *wanted*."""
    return Goal(text=text, bound="≥", wanted=wanted, value=value)


def at_most(text: str, wanted: float, value: float | None) -> Goal:
    """Return the goal that *value* is not above *wanted*."""
    return Goal(text=text, bound="≤", wanted=wanted, value=value)


def missed(goals: Iterable[Goal]) -> list[Goal]:
    """Return those that are not reached."""
    return [goal for goal in goals if not goal.is_met]
