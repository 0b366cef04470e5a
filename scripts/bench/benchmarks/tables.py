"""Draw figures as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.figures import OURS, Board, short


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose columns line up; all but the first are aligned to the right."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    drawn = [lines[0], rule, *lines[1:]]
    return "\n".join(f"| {' | '.join(_padded(line, widths))} |" for line in drawn)


def comparison(board: Board, works: Iterable[str], unit: str, *, ours: str = OURS) -> str:
    """Return for each work what everyone reached, and what ours is of it."""
    rows = [row for work in works for row in _compared(board, work, unit, ours)]
    return table(("work", "who", unit, "range", f"{ours} is"), rows)


def _compared(board: Board, work: str, unit: str, ours: str) -> list[tuple[str, ...]]:
    rows = []
    for series in (s for s in board if s.work == work and s.unit == unit):
        ratio = None if series.who == ours else board.ratio(work, ours, series.who, unit)
        times = "" if ratio is None else f"{ratio:.2f} ×"  # noqa: RUF001  # times, as in mathematics
        rows.append((work, series.who, short(series.median), series.span(), times))
    missing = [(who, text) for (at, who), text in board.notes.items() if at == work]
    return [*rows, *((work, who, text, "", "") for who, text in missing)]


def _padded(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *rest = cells
    return [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
