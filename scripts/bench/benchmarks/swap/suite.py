"""Measure plugins that come and go, and how hosts start with them."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.figures import OURS, Board, short
from benchmarks.goals import Goal
from benchmarks.run import Run
from benchmarks.swap import starts, toggles
from benchmarks.tables import table


def measure(run: Run, board: Board) -> None:
    """Measure starts, then toggles."""
    if run.wants(OURS):
        starts.measure(run, board)
        toggles.measure(run, board)


def goals(board: Board, *, is_quick: bool) -> Iterable[Goal]:
    """Return what must be reached."""
    yield from starts.goals(board, is_quick=is_quick)
    yield from toggles.goals(board, is_quick=is_quick)


def report(board: Board) -> str:
    """Return the tables."""
    return table(("with", *toggles.UNITS), (_row(board, work) for work in board.works()))


def _row(board: Board, work: str) -> list[str]:
    found = [board.find(work, OURS, unit) for unit in toggles.UNITS]
    cells = ["" if series is None else f"{short(series.median)} ({series.span()})" for series in found]
    return [work, board.notes.get((work, OURS), cells[0]), *cells[1:]]
