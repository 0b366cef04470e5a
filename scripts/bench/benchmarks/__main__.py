"""Read the command line, measure, print."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.bus import suite as bus
from benchmarks.fanout import suite as fanout
from benchmarks.figures import Board
from benchmarks.goals import Goal, missed
from benchmarks.http import suite as http
from benchmarks.isolation import suite as isolation
from benchmarks.machine import Machine, this_machine, two_cores
from benchmarks.run import Run
from benchmarks.summary import summary
from benchmarks.swap import suite as swap
from benchmarks.workbench import Workbench

_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One benchmark: it measures, says what must be reached, and draws its tables."""

    measure: Callable[[Run, Board], None]
    goals: Callable[..., Iterable[Goal]]
    report: Callable[[Board], str]


SUITES = {
    "bus": Suite(measure=bus.measure, goals=bus.goals, report=bus.report),
    "fanout": Suite(measure=fanout.measure, goals=fanout.goals, report=fanout.report),
    "http": Suite(measure=http.measure, goals=http.goals, report=http.report),
    "swap": Suite(measure=swap.measure, goals=swap.goals, report=swap.report),
    "isolation": Suite(measure=isolation.measure, goals=isolation.goals, report=isolation.report),
}


def main() -> int:
    """Measure what is asked for; return 1 if a goal was to be checked and is missed."""
    options = _options()
    run = Run(
        workbench=Workbench(),
        cores=two_cores(),
        rounds=options.rounds or (1 if options.quick else _ROUNDS),
        is_quick=options.quick,
        is_full=options.full,
        only=tuple(options.only),
    )
    names = list(SUITES) if options.suite == "all" else [options.suite]
    boards = {name: Board() for name in names}
    for name, board in boards.items():
        SUITES[name].measure(run, board)
    goals = {name: list(SUITES[name].goals(board, is_quick=run.is_quick)) for name, board in boards.items()}
    show = _as_json if options.json else _as_text
    print(show(this_machine(), run, boards, goals))
    return 1 if options.check and any(missed(found) for found in goals.values()) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.py", description="Measure corehost against its peers.")
    parser.add_argument("suite", choices=[*SUITES, "all"])
    parser.add_argument("--quick", action="store_true", help="a look whether everything works; no figures to quote")
    parser.add_argument(
        "--full", action="store_true", help="everybody at fan-out with every number of clients and pace"
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 if a goal is missed")
    parser.add_argument("--json", action="store_true", help="print every value, for programs")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="measure this one only; repeatable")
    parser.add_argument("--rounds", type=int, help=f"how often; else {_ROUNDS}")
    return parser.parse_args()


def _as_text(machine: Machine, run: Run, boards: dict[str, Board], goals: dict[str, list[Goal]]) -> str:
    parts = [f"{machine}; median and range of {run.rounds} interleaved rounds, server and client on a core each"]
    for name, board in boards.items():
        parts += [f"## {name}", SUITES[name].report(board), "\n".join(map(str, goals[name]))]
    parts += ["## In short", str(machine), summary(boards)]
    return "\n\n".join(parts)


def _as_json(machine: Machine, run: Run, boards: dict[str, Board], goals: dict[str, list[Goal]]) -> str:
    values: dict[str, Any] = {"machine": asdict(machine), "rounds": run.rounds}
    for name, board in boards.items():
        met = [{**asdict(goal), "is_met": goal.is_met} for goal in goals[name]]
        values[name] = {**board.to_json(), "goals": met}
    return json.dumps(values, indent=1, ensure_ascii=False)


if __name__ == "__main__":
    raise SystemExit(main())
