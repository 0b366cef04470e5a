"""Draw what README shows: a line for each work, ours beside the best of the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from benchmarks.figures import OURS, Board, Series, short
from benchmarks.tables import table

_LESS_IS_BETTER = ("ms", "µs", "bytes")
_LEFT_OUT = ("p50 ms",)
_FLOOR = "bare"  # what costs nothing but the bare minimum is no peer


def summary(boards: Mapping[str, Board]) -> str:
    """Return the table: median and range of ours, the best peer's median, and the ratio, round by round."""
    rows = [_row(board, ours) for board in boards.values() for ours in board if _is_shown(ours)]
    return table(("work", "unit", OURS, "range", "best peer", "its median", f"{OURS} is"), rows)


def _is_shown(series: Series) -> bool:
    return series.who == OURS and series.unit not in _LEFT_OUT


def _row(board: Board, ours: Series) -> tuple[str, ...]:
    best = _best(s for s in board if (s.work, s.unit) == (ours.work, ours.unit) and _is_peer(s.who))
    mine = (ours.work, ours.unit, short(ours.median), ours.span())
    if best is None:
        return (*mine, "", "", "")
    return (*mine, best.who, short(best.median), f"{ours.ratio(best):.2f} ×")  # noqa: RUF001  # times


def _is_peer(who: str) -> bool:
    return not who.startswith((OURS, _FLOOR))


def _best(peers: Iterable[Series]) -> Series | None:
    found = list(peers)
    if not found:
        return None
    choose = min if any(word in found[0].unit for word in _LESS_IS_BETTER) else max
    return choose(found, key=lambda series: series.median)
