"""Measure buses within one process, each work in a process of its own on one core."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.bus import works
from benchmarks.figures import OURS, Board, short
from benchmarks.goals import Goal, at_least, at_most
from benchmarks.machine import on_core
from benchmarks.processes import answer_of
from benchmarks.run import Run
from benchmarks.tables import comparison, table
from benchmarks.workbench import HERE, MissingError, Workbench

RATE = "messages/s"
MICROSECONDS = "µs"
TITLES = {key: work.title for key, work in works.works().items()}
ASKING = "(e) request and response"
COST = "cost of a send"
NO_SCHEMA, TEN_LANES = f"{OURS}, no schema declared", f"{OURS}, in ten plugins"
HOME_ASSISTANT, EVENTEMITTER2 = "Home Assistant", "eventemitter2"
BARE_LANE, THREAD_POOL = "bare lane", "thread pool"

_SECONDS, _QUICK_SECONDS = 2.0, 0.1
_MAIN = "benchmarks.bus"


@dataclass(frozen=True, slots=True)
class Contender:
    """Who is measured at which works, by which arguments after the program's."""

    name: str
    works: str
    program: str
    arguments: tuple[str, ...] = ()


CONTENDERS = (
    Contender(OURS, "abcd", "ours", ("plain",)),
    Contender(NO_SCHEMA, "abcd", "ours", ("no-schema",)),
    Contender(TEN_LANES, "b", "ours", ("ten-lanes",)),
    Contender("blinker", "abc", "peers", ("blinker",)),
    Contender("pyee", "abc", "peers", ("pyee",)),
    Contender("PyPubSub", "abcd", "peers", ("PyPubSub",)),
    Contender(HOME_ASSISTANT, "abcd", "peers", (HOME_ASSISTANT,)),
    Contender(EVENTEMITTER2, "abcd", "node"),
    Contender(BARE_LANE, "abcd", "floor"),
)


def measure(run: Run, board: Board) -> None:
    """Let everyone do every work, one after the other in each round."""
    seconds = _QUICK_SECONDS if run.is_quick else _SECONDS
    for _ in range(run.rounds):
        for contender, key in ((c, key) for key in TITLES for c in CONTENDERS if key in c.works):
            if run.wants(contender.name):
                _measure_one(run, board, contender, key, seconds)
        for name, who in ((OURS, "ours"), (THREAD_POOL, "floor")):
            if run.wants(name):
                _asked(run, board, name, who, seconds)
        if run.wants(OURS):
            _costs(run, board, seconds)


def _measure_one(run: Run, board: Board, contender: Contender, key: str, seconds: float) -> None:
    title = TITLES[key]
    with _told(run, board, title, contender.name):
        command = _command(run.workbench, contender)
        found = _child(run, [*command, *contender.arguments, key, str(seconds)])
        board.add(title, contender.name, RATE, found["rate"])


def _asked(run: Run, board: Board, name: str, who: str, seconds: float) -> None:
    with _told(run, board, ASKING, name):
        found = _child(run, [str(run.workbench.ours), "-m", f"{_MAIN}.asking", who, str(seconds)])
        for quantity in ("p50", "p99"):
            board.add(f"{ASKING}, {quantity}", name, MICROSECONDS, found[quantity])


def _costs(run: Run, board: Board, seconds: float) -> None:
    with _told(run, board, COST, OURS):
        found = _child(run, [str(run.workbench.ours), "-m", f"{_MAIN}.costs", str(seconds / 4)])
        for part, value in found.items():
            board.add(COST, part, "×" if part == "growth" else MICROSECONDS, value)  # noqa: RUF001  # times


@contextmanager
def _told(run: Run, board: Board, work: str, who: str) -> Iterator[None]:
    """Say what is measured; what cannot be is noted, and the others are measured all the same."""
    run.tell(f"bus: {who} {work}")
    try:
        yield
    except (MissingError, RuntimeError) as error:
        board.note(work, who, str(error).strip().splitlines()[-1])


def _command(workbench: Workbench, contender: Contender) -> list[str]:
    if contender.program == "node":
        return [workbench.node(), str(HERE / "node" / "eventemitter2.js")]
    if contender.program in ("ours", "floor"):
        return [str(workbench.ours), "-m", f"{_MAIN}.{contender.program}"]
    python = workbench.home_assistant() if contender.name == HOME_ASSISTANT else workbench.python_peers()
    return [str(python), "-m", f"{_MAIN}.peers"]


def _child(run: Run, command: list[str]) -> dict[str, Any]:
    """Run one measurement on a core of its own."""
    with on_core(run.cores.server):
        return answer_of(command, run.workbench.environment())


def goals(board: Board, *, is_quick: bool) -> Iterable[Goal]:
    """Return what the bus must reach."""
    if is_quick:
        yield at_least(f"{OURS} at {TITLES['a']}", 1, board.median(TITLES["a"], OURS, RATE))
        return
    for key, other, wanted in (
        ("a", "blinker", 1.2),
        ("b", "blinker", 4),
        ("a", HOME_ASSISTANT, 5),
        ("d", HOME_ASSISTANT, 100),
        ("d", EVENTEMITTER2, 1),
    ):
        yield at_least(f"{TITLES[key]}, of {other}'s", wanted, board.ratio(TITLES[key], OURS, other, RATE))
    growth = board.median(COST, "growth", "×")  # noqa: RUF001  # times, as in mathematics
    yield at_most("a send among 100,000 subscriptions, of one among 10", 1.2, growth)
    yield at_most("µs more for the first message of a type among 100,000", 20, board.median(COST, "cold", MICROSECONDS))
    yield at_most(f"µs for {ASKING}, p50", 80, board.median(f"{ASKING}, p50", OURS, MICROSECONDS))


def report(board: Board) -> str:
    """Return the tables."""
    asked = [f"{ASKING}, {quantity}" for quantity in ("p50", "p99")]
    return "\n\n".join(
        (
            comparison(board, TITLES.values(), RATE),
            comparison(board, asked, MICROSECONDS),
            "What a send is made of, each part alone:",
            table(("part", MICROSECONDS, "range"), _cost_rows(board)),
        )
    )


_NAMES = {
    "few": "a known type among 10 exact and 10 wildcards, no schema, handled by 3",
    "many": "a known type among 100,000 exact and 1,000 wildcards, no schema, handled by 3",
    "cold": "the first message of a type among 100,000 exact and 1,000 wildcards: more than the second",
}


def _cost_rows(board: Board) -> Iterator[tuple[str, str, str]]:
    for series in board:
        if series.work == COST and series.unit == MICROSECONDS:
            yield _NAMES.get(series.who, series.who), short(series.median), series.span()
