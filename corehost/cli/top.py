"""`corehost plugin top`: a live table of which plugin takes how long."""

from __future__ import annotations

import select
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import click

from corehost.cli.connection import Target, target_options
from corehost.cli.output import show, table, wants_json

_HEADS = ("ID", "STATE", "LOAD", "PER S", "P50", "P95", "P99", "LAG P95", "QUEUE", "IN", "ERRORS", "WHAT")
_WORK = ("handler", "request", "route", "method", "hook", "timer", "event", "store", "spawn")
"""The kinds of work that are going on; import, life and start are over."""
_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One plugin: seconds of work in a second, pieces of work in a second, and the times of the slowest kind."""

    id: str
    state: str
    load: float
    rate: float
    kind: str
    p50: float
    p95: float
    p99: float
    lag: float
    queue: int
    inside: int
    errors: int

    def cells(self) -> tuple[str, ...]:
        """Return what is shown of it."""
        times = (_seconds(value) for value in (self.p50, self.p95, self.p99, self.lag))
        counts = (str(value) for value in (self.queue, self.inside, self.errors))
        return (self.id, self.state, f"{self.load:.0%}", f"{self.rate:.3g}", *times, *counts, self.kind)


SORTS: Mapping[str, Callable[[Row], Any]] = {
    "load": lambda row: -row.load,
    "rate": lambda row: -row.rate,
    "p99": lambda row: -row.p99,
    "lag": lambda row: -row.lag,
    "queue": lambda row: -row.queue,
    "errors": lambda row: -row.errors,
    "id": lambda row: row.id,
}
_KEYS = {"l": "load", "r": "rate", "p": "p99", "g": "lag", "u": "queue", "e": "errors", "i": "id"}


@click.command()
@click.option("--once", is_flag=True, help="Print the table once and end.")
@click.option("--sort", type=click.Choice(tuple(SORTS)), default="load", show_default=True, help="What comes first.")
@click.option("--interval", type=click.FloatRange(0.1, 60.0), default=1.0, show_default=True, help="Seconds a turn.")
@target_options
def top(target: Target, once: bool, sort: str, interval: float) -> None:
    """Show which plugin is slow, and keep on showing it; q or Ctrl-C ends.

    LOAD is seconds of work in a second, P50 to P99 the times of WHAT, the slowest kind of work of the last minute or
    two; LAG is from send to handle, QUEUE what waits in the lane, IN requests and calls under way. With --json, one
    line for each turn. Needs the permission metrics:read.
    """
    with target.client() as host, suppress(KeyboardInterrupt):
        if once:
            _print(host.figures(), sort)
        elif wants_json() or not _is_terminal():
            while True:
                _print(host.figures(), sort)
                time.sleep(interval)
        else:
            _live(host.figures, sort, interval)


def rows_of(items: Sequence[Mapping[str, Any]], before: Mapping[str, Mapping[str, Any]], span: float) -> list[Row]:
    """Return a row for each plugin of *items*; rates are those since *before*, by id, *span* seconds ago."""
    return [_row(item, before.get(item["id"]), span) for item in items]


def _live(read: Callable[[], list[dict[str, Any]]], sort: str, interval: float) -> None:
    before: dict[str, Mapping[str, Any]] = {}
    at = time.monotonic()
    with _screen() as key_pressed:
        while True:
            items, now = read(), time.monotonic()
            rows = sorted(rows_of(items, before, now - at), key=SORTS[sort])
            before, at = {item["id"]: item for item in items}, now
            click.echo(_frame(rows, sort), nl=False)
            key = key_pressed(interval)
            if key in ("q", "Q"):
                return
            sort = _KEYS.get(key or "", sort)


def _frame(rows: Sequence[Row], sort: str) -> str:
    size = shutil.get_terminal_size()
    keys = "  ".join(f"{key} {name}" for key, name in _KEYS.items())
    lines = [f"Sorted by {sort}.  q quit  {keys}", "", *_table(rows).splitlines()]
    if len(lines) > size.lines:
        left = len(lines) - size.lines + 1
        lines = [*lines[: size.lines - 1], f"… and {left} more"]
    return _HOME + "\n".join(line[: size.columns] + _CLEAR_LINE for line in lines) + _CLEAR_BELOW


def _print(items: list[dict[str, Any]], sort: str) -> None:
    rows = sorted(rows_of(items, {}, 0.0), key=SORTS[sort])
    order = {row.id: place for place, row in enumerate(rows)}
    show({"items": sorted(items, key=lambda item: order[item["id"]])}, _table(rows))


def _table(rows: Sequence[Row]) -> str:
    return table(_HEADS, [row.cells() for row in rows])


def _row(item: Mapping[str, Any], before: Mapping[str, Any] | None, span: float) -> Row:
    figures = {kind: value for kind, value in item["figures"].items() if kind in _WORK}
    slowest = max(figures, key=lambda kind: figures[kind]["recent"]["p99"], default="")
    times = figures[slowest]["recent"] if slowest else {"p50": 0.0, "p95": 0.0, "p99": 0.0}
    load, rate = _pace(figures, before, span)
    return Row(
        id=item["id"],
        state=_state(item),
        load=load,
        rate=rate,
        kind=slowest if times["p99"] else "",
        p50=times["p50"],
        p95=times["p95"],
        p99=times["p99"],
        lag=item["figures"].get("lag", {}).get("recent", {}).get("p95", 0.0),
        queue=item["waiting"],
        inside=item["inside"] + item["calls"],
        errors=sum(item["errors"].values()),
    )


def _pace(
    figures: Mapping[str, Mapping[str, Any]], before: Mapping[str, Any] | None, span: float
) -> tuple[float, float]:
    """Return seconds and pieces of work in a second, since *before* or else within the last minute or two."""
    if before is None or span <= 0:
        recent = [value["recent"] for value in figures.values()]
        return sum(r["seconds"] / r["span"] for r in recent), sum(r["count"] / r["span"] for r in recent)
    then: Mapping[str, Mapping[str, Any]] = before["figures"]
    nothing = {"seconds": 0.0, "count": 0}

    def grown(name: str) -> float:
        # Less than before: the plugin was upgraded meanwhile, and counts anew.
        more = (max(0.0, float(value[name] - then.get(kind, nothing)[name])) for kind, value in figures.items())
        return sum(more) / span

    return grown("seconds"), grown("count")


def _state(item: Mapping[str, Any]) -> str:
    if item["quarantined"] is not None:
        return "quarantined"
    if item["blocked"] is not None:
        return f"stuck {max(0.0, time.time() - item['blocked']):.0f} s"
    return "throttled" if item["throttled"] is not None else str(item["status"])


def _seconds(value: float) -> str:
    if not value:
        return "-"
    if value < 0.001:
        return f"{value * 1e6:.0f} µs"
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"


@contextmanager
def _screen() -> Iterator[Callable[[float], str | None]]:
    """Take the terminal's other screen; yield what waits for a key, and returns ``None`` if none comes in time."""
    import termios  # noqa: PLC0415  # there is none on Windows
    import tty  # noqa: PLC0415  # ditto

    kept = termios.tcgetattr(sys.stdin)
    click.echo(_ENTER, nl=False)
    try:
        tty.setcbreak(sys.stdin)
        yield _key
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, kept)
        click.echo(_LEAVE, nl=False)


def _key(seconds: float) -> str | None:
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    return sys.stdin.read(1) if readable else None


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty() and sys.platform != "win32"
