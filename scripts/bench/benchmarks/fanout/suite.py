"""Measure fan-out: many clients, one publisher, several paces."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks.fanout.contenders import BUSY, CONTENDERS, FLOOR, NATS, NEAREST, RESTRICTED, SETS, Contender, Served
from benchmarks.fanout.load import Arrivals, LoadClient, LoadError
from benchmarks.figures import OURS, Board
from benchmarks.goals import Goal, at_least, at_most
from benchmarks.run import Run
from benchmarks.tables import comparison
from benchmarks.workbench import MissingError

DELIVERIES = "deliveries/s"
P50 = "p50 ms"
P99 = "p99 ms"
CPU = "µs CPU a delivery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """So many messages at so many a second."""

    rate: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured; with the ``sizes`` outside of ``crowded`` only the nearest contenders are."""

    sizes: tuple[int, ...] = (100, 1_000, 5_000)
    crowded: tuple[int, ...] = (1_000,)
    flood_seconds: float = 3.0
    paces: tuple[Pace, ...] = (Pace(rate=120, count=600),)


NORMAL = Scale()
FULL = Scale(
    crowded=(100, 1_000, 5_000),
    paces=(Pace(rate=20, count=60), Pace(rate=120, count=600), Pace(rate=1_000, count=3_000)),
)
QUICK = Scale(sizes=(20,), crowded=(20,), flood_seconds=0.5, paces=(Pace(rate=120, count=60),))


def flood_of(clients: int) -> str:
    """Return the name of a flood."""
    return f"{clients:,} clients, flood"


def pace_of(clients: int, rate: int) -> str:
    """Return the name of a paced run."""
    return f"{clients:,} clients, {rate:,}/s"


def measure(run: Run, board: Board) -> None:
    """Let everyone serve everything, one after the other in each round."""
    scale = QUICK if run.is_quick else FULL if run.is_full else NORMAL
    for _, clients in itertools.product(range(run.rounds), scale.sizes):
        for contender in _chosen(run, scale, clients):
            run.tell(f"fanout: {contender.name}, {clients:,} clients")
            try:
                _serve(run, board, contender, clients, scale)
            except (LoadError, MissingError, RuntimeError) as error:
                for work in _works(contender, clients, scale):
                    board.note(work, contender.name, str(error))


def _chosen(run: Run, scale: Scale, clients: int) -> Iterator[Contender]:
    for contender in CONTENDERS:
        is_near = clients in scale.crowded or contender.name in NEAREST
        if run.wants(contender.name) and is_near and (contender.sizes is None or clients in contender.sizes):
            yield contender


def _works(contender: Contender, clients: int, scale: Scale) -> list[str]:
    flood = [] if contender.only_paced else [flood_of(clients)]
    return [*flood, *(pace_of(clients, pace.rate) for pace in scale.paces)]


def _serve(run: Run, board: Board, contender: Contender, clients: int, scale: Scale) -> None:
    with contender.loaded(run.workbench, run.cores, clients) as (served, load):
        if not contender.only_paced:
            _flood(board, contender.name, served, load, clients, scale.flood_seconds)
        for pace in scale.paces:
            if not _pace(board, contender.name, served, load, clients, pace):
                break  # it would only fall behind further, and what is still on its way would be counted later


def _flood(board: Board, who: str, served: Served, load: LoadClient, clients: int, seconds: float) -> None:
    load.flood(seconds)  # opens the window
    before = served.process.cpu_seconds()
    arrivals = load.flood(seconds)
    if not arrivals.is_whole:
        raise LoadError(_losses(arrivals))
    work = flood_of(clients)
    board.add(work, who, DELIVERIES, arrivals.rate)
    board.add(work, who, CPU, _cpu(served, before, arrivals))


def _pace(board: Board, who: str, served: Served, load: LoadClient, clients: int, pace: Pace) -> bool:
    """Measure one pace and return whether it was kept."""
    before = served.process.cpu_seconds()
    arrivals = load.paced(pace.count, pace.rate)
    work = pace_of(clients, pace.rate)
    if not arrivals.is_whole:
        board.note(work, who, _losses(arrivals))
        return False
    board.add(work, who, P50, arrivals.p50_us / 1_000)
    board.add(work, who, P99, arrivals.p99_us / 1_000)
    board.add(work, who, CPU, _cpu(served, before, arrivals))
    return True


def _cpu(served: Served, before: float, arrivals: Arrivals) -> float:
    return (served.process.cpu_seconds() - before) * 1e6 / arrivals.received


def _losses(arrivals: Arrivals) -> str:
    if arrivals.gone:
        return f"{arrivals.gone} clients lost: {arrivals.reason}"
    if arrivals.late:
        return f"{arrivals.late} messages twice or out of order"
    return f"falls behind: {arrivals.missing / max(1, arrivals.expected):.0%} had not come in time"


def goals(board: Board, *, is_quick: bool) -> Iterable[Goal]:
    """Return what the relay must reach."""
    if is_quick:
        clients = QUICK.sizes[0]
        yield at_least(f"{OURS} in a quick flood", 1, board.median(flood_of(clients), OURS, DELIVERIES))
        return
    for clients, wanted in ((1_000, 2.0), (100, 1.2)):
        ratio = board.ratio(flood_of(clients), OURS, NATS, DELIVERIES)
        yield at_least(f"flood to {clients:,} clients, of {NATS}'s", wanted, ratio)
    others = [contender.name for contender in CONTENDERS if contender.name not in (NATS, FLOOR)]
    for other in (name for name in others if not name.startswith(OURS)):
        ratio = board.ratio(flood_of(1_000), OURS, other, DELIVERIES)
        yield at_least(f"flood to 1,000 clients, of {other}'s", 30, ratio)
    sets, one_set = (board.median(flood_of(1_000), who, DELIVERIES) for who in (SETS, OURS))
    yield at_least(f"flood to {SETS}, of one set's", 0.5, sets / one_set if sets and one_set else None)
    yield from _pace_goals(board, pace_of(1_000, 120))


def _pace_goals(board: Board, work: str) -> Iterable[Goal]:
    yield at_most(f"p99 at {work}, of {NATS}'s", 0.5, board.ratio(work, OURS, NATS, P99))
    yield at_most(f"CPU a delivery at {work}, of {NATS}'s", 1.0, board.ratio(work, OURS, NATS, CPU))
    yield at_most(f"CPU a delivery at {work}, of {FLOOR}'s", 1.15, board.ratio(work, OURS, FLOOR, CPU))
    yield at_most(f"CPU a delivery at {work} in 50 pattern sets, of one set's", 2, board.ratio(work, SETS, OURS, CPU))
    restricted = board.ratio(work, RESTRICTED, OURS, CPU)
    yield at_most(f"CPU a delivery at {work} to a user with few permissions, of an administrator's", 1.2, restricted)
    yield at_most(f"p99 in ms at {work} beside a busy plugin", 100, board.median(work, BUSY, P99))


def report(board: Board) -> str:
    """Return the tables."""
    works = board.works()
    floods = [work for work in works if work.endswith("flood")]
    paced = [work for work in works if work not in floods]
    parts = [f"Flood, {DELIVERIES}:", comparison(board, floods, DELIVERIES)]
    for unit in (P50, P99, CPU):
        parts += [f"Paced, {unit}:", comparison(board, paced, unit)]
    return "\n\n".join(parts)
