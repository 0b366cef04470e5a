"""Measure HTTP: alone, and while thousands of browsers' sockets are held; and what a socket costs."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.fanout.load import LoadClient, LoadError
from benchmarks.figures import OURS, Board
from benchmarks.goals import Goal, at_least, at_most
from benchmarks.host import ServedHost
from benchmarks.processes import Process, free_port
from benchmarks.requests import HttpLoad
from benchmarks.run import Run
from benchmarks.tables import comparison
from benchmarks.workbench import MissingError

RATE, P99, BYTES = "requests/s", "p99 ms", "bytes a socket"
HANDSHAKES, SUBSCRIBED = "handshakes/s", "connected and subscribed/s"
PAGE, HEALTH, SOCKETS = "a plugin's page", "/healthz", "browsers' sockets"
BARE = "bare Flask"
THREADS = 16

_SOCKETS, _HANDSHAKES, _QUICK_SECONDS, _SECONDS = 9_000, 3_000, 1, 4
_QUICK_SOCKETS = 50
_CONNECTIONS = 32


def with_sockets(sockets: int) -> str:
    """Return who we are while we hold so many sockets."""
    return f"{OURS} with {sockets:,} sockets"


def measure(run: Run, board: Board) -> None:
    """Measure ourselves without and with sockets, and a bare app on the same server."""
    for _ in range(run.rounds):
        for name, serve in ((OURS, _ours), (BARE, _bare)):
            if run.wants(name):
                run.tell(f"http: {name}")
                try:
                    serve(run, board)
                except (LoadError, MissingError, RuntimeError) as error:
                    board.note(PAGE, name, str(error))


def _ours(run: Run, board: Board) -> None:
    sockets = _QUICK_SOCKETS if run.is_quick else _SOCKETS
    with ServedHost(run.workbench, core=run.cores.server) as host:
        _ask(run, board, OURS, host.port, host.header)
        with _browsers(run, host, "handshake", min(sockets, _HANDSHAKES)) as greeted:
            board.add(SOCKETS, OURS, HANDSHAKES, min(sockets, _HANDSHAKES) / greeted.connect())
        before = host.process.memory_bytes()
        with _browsers(run, host, "corehost", sockets) as browsers:
            board.add(SOCKETS, OURS, SUBSCRIBED, sockets / browsers.connect())
            board.add(SOCKETS, OURS, BYTES, (host.process.memory_bytes() - before) / sockets)
            _ask(run, board, with_sockets(sockets), host.port, host.header)


def _browsers(run: Run, host: ServedHost, protocol: str, number: int) -> LoadClient:
    return LoadClient(
        run.workbench.client("loadclient"),
        core=run.cores.client,
        protocol=protocol,
        port=host.port,
        clients=number,
        header=host.header,
    )


def _bare(run: Run, board: Board) -> None:
    port = free_port()
    command = [str(run.workbench.ours), "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"]
    command += ["--threads", str(THREADS), "--keep-alive", "75", "--log-level", "error"]
    command += ["--no-control-socket", "benchmarks.http.bare_flask:app"]
    server = Process(command, core=run.cores.server, environment=run.workbench.environment())
    try:
        server.wait_for_port(port)
        _ask(run, board, BARE, port, "", paths=((PAGE, "/bench/"),))
    finally:
        server.stop()


def _ask(
    run: Run,
    board: Board,
    who: str,
    port: int,
    header: str,
    paths: Iterable[tuple[str, str]] = ((PAGE, "/bench/"), (HEALTH, "/healthz")),
) -> None:
    for work, path in paths:
        load = HttpLoad(
            run.workbench.client("httpclient"),
            core=run.cores.client,
            port=port,
            path=path,
            header=header,
            connections=_CONNECTIONS,
            seconds=_QUICK_SECONDS if run.is_quick else _SECONDS,
        )
        answers = load.answers()
        board.add(work, who, RATE, answers.rate)
        board.add(work, who, P99, answers.p99_us / 1_000)


def goals(board: Board, *, is_quick: bool) -> Iterable[Goal]:
    """Return what the edge must reach."""
    if is_quick:
        yield at_least(f"{OURS} with a few sockets", 1, board.median(PAGE, with_sockets(_QUICK_SOCKETS), RATE))
        return
    for work in (PAGE, HEALTH):
        ratio = board.ratio(work, with_sockets(_SOCKETS), OURS, RATE)
        yield at_least(f"requests for {work} with {_SOCKETS:,} sockets, of those with none", 0.9, ratio)
    yield at_most(f"KB a socket of {_SOCKETS:,}", 20, _thousandth(board.median(SOCKETS, OURS, BYTES)))
    yield at_least("handshakes a second", 1_000, board.median(SOCKETS, OURS, HANDSHAKES))


def report(board: Board) -> str:
    """Return the tables."""
    pages, sockets = (PAGE, HEALTH), (SOCKETS,)
    return "\n\n".join(
        (
            comparison(board, pages, RATE),
            comparison(board, pages, P99),
            comparison(board, sockets, HANDSHAKES),
            comparison(board, sockets, SUBSCRIBED),
            comparison(board, sockets, BYTES),
        )
    )


def _thousandth(value: float | None) -> float | None:
    return None if value is None else value / 1_000
