"""Measure starts: of a host as it comes, and of one that lists plugins which are loaded on demand."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.figures import OURS, Board
from benchmarks.goals import Goal, at_most
from benchmarks.host import ServedHost
from benchmarks.plugins import write_on_demand
from benchmarks.run import Run
from benchmarks.workbench import MissingError

START, PROCESSOR, MEMORY = "s to start", "s of processor", "MB"
FIRST, AGAIN = "first start", "second start"
_LAZY, _QUICK_LAZY = 200, 3


def with_lazy(run_is_quick: bool) -> str:
    """Return the name of the work."""
    return f"{AGAIN}, {_QUICK_LAZY if run_is_quick else _LAZY} on demand"


def measure(run: Run, board: Board) -> None:
    """Start a host with the built-in plugins twice, without and with others that are loaded on demand."""
    for _ in range(run.rounds):
        run.tell("swap: starts")
        try:
            _measure(run, board)
        except (MissingError, RuntimeError) as error:
            board.note(FIRST, OURS, str(error))


def started(run: Run, board: Board, work: str | None, folder: Path, data: Path | None = None) -> ServedHost:
    """Start a host with the plugins in *folder*, and take down what that took, unless *work* is ``None``."""
    began = time.perf_counter()
    host = ServedHost(run.workbench, core=run.cores.server, folders=(folder,), has_builtins=data is not None, data=data)
    if work is not None:
        board.add(work, OURS, START, time.perf_counter() - began)
        board.add(work, OURS, PROCESSOR, host.process.cpu_seconds())
        board.add(work, OURS, MEMORY, host.process.memory_bytes() / 1e6)
    return host


def _measure(run: Run, board: Board) -> None:
    with tempfile.TemporaryDirectory(prefix="corehost-bench-") as name:
        plain, lazy = Path(name, "plain"), Path(name, "lazy")
        plain.mkdir()
        for number in range(_QUICK_LAZY if run.is_quick else _LAZY):
            write_on_demand(lazy, f"lazy{number}")
        started(run, board, FIRST, plain, Path(name, "data")).stop()
        started(run, board, AGAIN, plain, Path(name, "data")).stop()
        started(run, board, None, lazy, Path(name, "data-lazy")).stop()
        with started(run, board, with_lazy(run.is_quick), lazy, Path(name, "data-lazy")) as host:
            if (answer := host.get("/lazy0/")) != 200:
                raise RuntimeError(f"A plugin that is loaded on demand answered {answer}.")


def goals(board: Board, *, is_quick: bool) -> Iterable[Goal]:
    """Return what starts must reach."""
    lazy, plain = (board.find(work, OURS, START) for work in (with_lazy(is_quick), AGAIN))
    ratio = None if lazy is None or plain is None or board.notes.get((FIRST, OURS)) else lazy.ratio(plain)
    yield at_most(f"{START} again", 60 if is_quick else 1.5, board.median(AGAIN, OURS, START))
    yield at_most(f"a start with {_LAZY} on demand, × one without", 10 if is_quick else 1.2, ratio)  # noqa: RUF001  # times
