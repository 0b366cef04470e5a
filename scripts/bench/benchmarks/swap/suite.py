"""Measure how long it takes to switch a plugin, among few and among many, and whom that disturbs."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.figures import OURS, Board, short
from benchmarks.goals import Goal, at_most
from benchmarks.host import ServedHost
from benchmarks.plugins import write_plugin
from benchmarks.requests import HttpLoad
from benchmarks.run import Run
from benchmarks.tables import table
from benchmarks.workbench import MissingError

DISABLE, ENABLE, P99, QUIET, START, MEMORY = (
    "ms to disable",
    "ms to enable",
    "p99 ms of others meanwhile",
    "p99 ms of others else",
    "s to start",
    "MB",
)
_UNITS = (DISABLE, ENABLE, P99, QUIET, START, MEMORY)

_SIZES, _QUICK_SIZES = (10, 100, 1_000), (3,)
_SECONDS, _QUICK_SECONDS = 5, 1
_PAUSE = 0.05
_CONNECTIONS = 4


def among(plugins: int) -> str:
    """Return the name of the work."""
    return f"{plugins:,} plugins"


def measure(run: Run, board: Board) -> None:
    """Start hosts of several sizes, and switch one plugin of each while another's page is asked for."""
    if not run.wants(OURS):
        return
    for _ in range(run.rounds):
        for size in _QUICK_SIZES if run.is_quick else _SIZES:
            run.tell(f"swap: {among(size)}")
            try:
                _swap(run, board, size)
            except (MissingError, RuntimeError) as error:
                board.note(among(size), OURS, str(error))


def _swap(run: Run, board: Board, size: int) -> None:
    work = among(size)
    with tempfile.TemporaryDirectory(prefix="corehost-bench-") as name:
        folder = Path(name)
        for number in range(size):
            write_plugin(folder, f"plugin{number}")
        began = time.perf_counter()
        with ServedHost(run.workbench, core=run.cores.server, folders=(folder,)) as host:
            board.add(work, OURS, START, time.perf_counter() - began)
            board.add(work, OURS, MEMORY, host.process.memory_bytes() / 1e6)
            board.add(work, OURS, QUIET, _load(run, host).answers().p99_us / 1_000)
            load = _load(run, host)
            disabled, enabled = _toggle(host, _seconds(run))
            board.add(work, OURS, P99, load.answers().p99_us / 1_000)
            board.add(work, OURS, DISABLE, disabled)
            board.add(work, OURS, ENABLE, enabled)


def _toggle(host: ServedHost, seconds: int) -> tuple[float, float]:
    """Switch one plugin off and on for so long; return the medians in ms."""
    took: dict[str, list[float]] = {"disabled": [], "enabled": []}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for status, times in took.items():
            began = time.perf_counter()
            answer = host.ask("PUT", "/api/plugins/plugin0/status", json.dumps({"status": status}).encode())
            times.append((time.perf_counter() - began) * 1_000)
            if answer != 200:
                raise RuntimeError(f"The host answered {answer} when plugin0 was to be {status}.")
            time.sleep(_PAUSE)  # so that toggles are an interruption, not a load
    return statistics.median(took["disabled"]), statistics.median(took["enabled"])


def _load(run: Run, host: ServedHost) -> HttpLoad:
    return HttpLoad(
        run.workbench.client("httpclient"),
        core=run.cores.client,
        port=host.port,
        path="/plugin1/",
        header=host.header,
        connections=_CONNECTIONS,
        seconds=_seconds(run),
    )


def _seconds(run: Run) -> int:
    return _QUICK_SECONDS if run.is_quick else _SECONDS


def goals(board: Board, *, is_quick: bool) -> Iterable[Goal]:
    """Return what the life cycle must reach."""
    for size in _QUICK_SIZES if is_quick else _SIZES:
        for unit in (DISABLE, ENABLE):
            wanted = 10_000 if is_quick else 60
            yield at_most(f"{unit} a small plugin among {size:,}", wanted, board.median(among(size), OURS, unit))
    if is_quick:
        return
    largest = among(_SIZES[-1])
    yield at_most(f"{START} with {largest}", 20, board.median(largest, OURS, START))
    yield at_most(f"{MEMORY} with {largest}", 500, board.median(largest, OURS, MEMORY))


def report(board: Board) -> str:
    """Return the tables."""
    return table(("among", *_UNITS), (_row(board, work) for work in board.works()))


def _row(board: Board, work: str) -> list[str]:
    found = [board.find(work, OURS, unit) for unit in _UNITS]
    cells = ["" if series is None else f"{short(series.median)} ({series.span()})" for series in found]
    return [work, board.notes.get((work, OURS), cells[0]), *cells[1:]]
