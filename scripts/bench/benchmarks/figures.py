"""Figures of several rounds: their median, range and ratio."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

OURS = "corehost"

_NOTE = 80
_LARGE = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """What *who* reached at *work* by one *unit*, one value a round."""

    work: str
    who: str
    unit: str
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    def ratio(self, other: Series) -> float:
        """Return the median of what this is of *other*, round by round: both felt the same machine in a round."""
        pairs = [mine / theirs for mine, theirs in zip(self.values, other.values, strict=False) if theirs]
        return statistics.median(pairs) if pairs else float("nan")

    def span(self) -> str:
        """Return lowest and highest as text."""
        return f"{short(min(self.values))}–{short(max(self.values))}"  # noqa: RUF001  # a range has an en dash


@dataclass(slots=True)
class Board:
    """All figures of a run, in the order in which they came, and why some are missing."""

    notes: dict[tuple[str, str], str] = field(default_factory=dict)
    _values: dict[tuple[str, str, str], list[float]] = field(default_factory=dict)

    def add(self, work: str, who: str, unit: str, value: float) -> None:
        """Take down the value of one more round."""
        self._values.setdefault((work, who, unit), []).append(value)

    def note(self, work: str, who: str, text: str) -> None:
        """Say what hinders *who* at *work*, in one short line."""
        line = " ".join(text.split())
        self.notes[work, who] = line if len(line) <= _NOTE else f"{line[: _NOTE - 1]}…"

    def find(self, work: str, who: str, unit: str) -> Series | None:
        """Return the figures, ``None`` if there are none."""
        values = self._values.get((work, who, unit))
        return Series(work=work, who=who, unit=unit, values=tuple(values)) if values else None

    def median(self, work: str, who: str, unit: str) -> float | None:
        """Return the middle value; ``None`` if there is none, or if a round failed."""
        series = None if (work, who) in self.notes else self.find(work, who, unit)
        return None if series is None else series.median

    def ratio(self, work: str, who: str, other: str, unit: str) -> float | None:
        """Return what *who* reaches of *other*; ``None`` if one was not measured, or if a round of ours failed."""
        if who == OURS and (work, who) in self.notes:
            return None
        mine, theirs = self.find(work, who, unit), self.find(work, other, unit)
        return None if mine is None or theirs is None else mine.ratio(theirs)

    def works(self) -> list[str]:
        """Return the names of all works."""
        return list(dict.fromkeys(work for work, _, _ in (*self._values, *((*key, "") for key in self.notes))))

    def __iter__(self) -> Iterator[Series]:
        for (work, who, unit), values in self._values.items():
            yield Series(work=work, who=who, unit=unit, values=tuple(values))

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "figures": [
                {"work": s.work, "who": s.who, "unit": s.unit, "median": s.median, "values": list(s.values)}
                for s in self
            ],
            "notes": [{"work": work, "who": who, "note": note} for (work, who), note in self.notes.items()],
        }


def short(value: float) -> str:
    """Return *value* in three digits, as people read figures: ``1.23 M``, ``456 k``, ``7.8``."""
    for size, letter in _LARGE:
        if abs(value) >= size * 0.9995:
            return f"{_digits(value / size)} {letter}"
    return _digits(value)


def _digits(value: float) -> str:
    places = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    return f"{value:.{places}f}"
