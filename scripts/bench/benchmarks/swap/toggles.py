"""Measure how long it takes to switch a plugin, among few and among many, and whom that disturbs."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.figures import OURS, Board
from benchmarks.goals import Goal, at_most
from benchmarks.host import ServedHost
from benchmarks.plugins import write_plugin
from benchmarks.requests import HttpLoad
from benchmarks.run import Run
from benchmarks.swap.starts import MEMORY, PROCESSOR, START, started
from benchmarks.workbench import MissingError

DISABLE, ENABLE, P99, QUIET = "ms to disable", "ms to enable", "p99 ms of others meanwhile", "p99 ms of others else"

_SIZES, _QUICK_SIZES = (10, 100, 1_000), (3,)
_SECONDS, _QUICK_SECONDS = 10, 1
_PAUSE = 0.05
_CONNECTIONS, _THINKING = 4, 20
"""Others that ask, and the ms between an answer and their next request: together they take about half a core."""
_PAGE = "/plugin0/"
_GONE = 404


def among(plugins: int) -> str:
    """Return the name of the work."""
    return f"{plugins:,} plugins"


def measure(run: Run, board: Board) -> None:
    """Start hosts of several sizes, and switch one plugin of each while another's page is asked for."""
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
        with started(run, board, work, folder) as host:
            board.add(work, OURS, QUIET, _load(run, host).answers().p99_us / 1_000)
            load = _load(run, host)
            disabled, enabled = _toggle(host, _seconds(run))
            board.add(work, OURS, P99, load.answers().p99_us / 1_000)
            board.add(work, OURS, DISABLE, disabled)
            board.add(work, OURS, ENABLE, enabled)


def _toggle(host: ServedHost, seconds: int) -> tuple[float, float]:
    """Switch one plugin off and on for so long; return the medians in ms, each until its page is gone or there."""
    took: dict[str, list[float]] = {"disabled": [], "enabled": []}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for status, page in (("disabled", _GONE), ("enabled", 200)):
            began = time.perf_counter()
            answer = host.ask("PUT", "/api/plugins/plugin0/status", json.dumps({"status": status}).encode())
            shown = host.get(_PAGE)
            took[status].append((time.perf_counter() - began) * 1_000)
            if (answer, shown) != (200, page):
                raise RuntimeError(_unexpected(host, f"{answer} when plugin0 was to be {status}, its page {shown}"))
            time.sleep(_PAUSE)  # so that toggles are an interruption, not a load
    return statistics.median(took["disabled"]), statistics.median(took["enabled"])


def _unexpected(host: ServedHost, what: str) -> str:
    why = f" {host.silence}; its log ends: {host.process.output()[-2_000:]}" if host.silence else ""
    return f"The host answered {what}.{why}"


def _load(run: Run, host: ServedHost) -> HttpLoad:
    return HttpLoad(
        run.workbench.client("httpclient"),
        core=run.cores.client,
        port=host.port,
        path="/plugin1/",
        header=host.header,
        connections=_CONNECTIONS,
        seconds=_seconds(run),
        pause=_THINKING,
    )


def _seconds(run: Run) -> int:
    return _QUICK_SECONDS if run.is_quick else _SECONDS


def goals(board: Board, *, is_quick: bool) -> Iterable[Goal]:
    """Return what the life cycle must reach."""
    sizes = _QUICK_SIZES if is_quick else _SIZES
    for size in sizes:
        for unit in (DISABLE, ENABLE):
            wanted = 10_000 if is_quick else 60
            yield at_most(f"{unit} a small plugin among {size:,}", wanted, board.median(among(size), OURS, unit))
        yield at_most(f"{P99} among {size:,}, × else", 1_000 if is_quick else 2, _times(board, among(size)))  # noqa: RUF001  # times
    if is_quick:
        return
    largest = among(sizes[-1])
    yield at_most(f"{START} with {largest}", 20, board.median(largest, OURS, START))
    yield at_most(f"{MEMORY} with {largest}", 500, board.median(largest, OURS, MEMORY))


def _times(board: Board, work: str) -> float | None:
    busy, quiet = board.find(work, OURS, P99), board.find(work, OURS, QUIET)
    return None if busy is None or quiet is None or (work, OURS) in board.notes else busy.ratio(quiet)


UNITS = (DISABLE, ENABLE, P99, QUIET, START, PROCESSOR, MEMORY)
