"""Measure plugins in processes of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.figures import OURS, Board
from benchmarks.goals import Goal, at_most
from benchmarks.processes import answer_of
from benchmarks.run import Run
from benchmarks.tables import comparison

CALL, READY, MEMORY = "a call over the line, p50", "a worker is ready", "private memory of a worker"
METHOD, PAGE = "a method, p50", "a page, p50"
MICROSECONDS, MILLISECONDS, MEGABYTES = "µs", "ms", "MB"
IN_PROCESS = f"{OURS}, in process"
"""The same plugin without a process of its own: what isolation is compared with."""

_QUICK_SHARE = 0.02


def measure(run: Run, board: Board) -> None:
    """Run a plugin in process and in a process of its own, in each round."""
    for _ in range(run.rounds if run.wants(OURS) else 0):
        run.tell("isolation")
        try:
            found = _child(run)
        except RuntimeError as error:
            board.note(CALL, OURS, str(error).strip().splitlines()[-1])
            continue
        board.add(CALL, OURS, MICROSECONDS, found["call"])
        board.add(READY, OURS, MILLISECONDS, found["ready"])
        board.add(MEMORY, OURS, MEGABYTES, found["memory"])
        for who, name in ((OURS, "apart"), (IN_PROCESS, "here")):
            board.add(METHOD, who, MICROSECONDS, found[f"{name} method"])
            board.add(PAGE, who, MILLISECONDS, found[f"{name} page"])


def _child(run: Run) -> dict[str, Any]:
    # On both cores: host and worker are two processes, and that they are is part of what is measured.
    share = _QUICK_SHARE if run.is_quick else 1
    command = [str(run.workbench.ours), "-m", "benchmarks.isolation.measured", str(share)]
    return answer_of(command, run.workbench.environment())


def goals(board: Board, *, is_quick: bool) -> Iterable[Goal]:
    """Return what isolation may cost."""
    slack = 20 if is_quick else 1
    apart, here = board.median(PAGE, OURS, MILLISECONDS), board.median(PAGE, IN_PROCESS, MILLISECONDS)
    yield at_most(f"{MICROSECONDS} for {CALL}", 80 * slack, board.median(CALL, OURS, MICROSECONDS))
    yield at_most(f"{MILLISECONDS} until {READY}", 20 * slack, board.median(READY, OURS, MILLISECONDS))
    yield at_most(f"{MEGABYTES} of {MEMORY}", 6 * slack, board.median(MEMORY, OURS, MEGABYTES))
    yield at_most(
        f"{MILLISECONDS} more for a page than in process",
        1.5 * slack,
        None if apart is None or here is None else apart - here,
    )


def report(board: Board) -> str:
    """Return the tables."""
    works = ((MICROSECONDS, (CALL, METHOD)), (MILLISECONDS, (PAGE, READY)), (MEGABYTES, (MEMORY,)))
    return "\n\n".join(comparison(board, names, unit) for unit, names in works)
