"""The load client, which everything at fan-out is judged by, against servers that lose, double and mix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from benchmarks.fanout.load import LoadClient, LoadError
from benchmarks.machine import two_cores
from benchmarks.workbench import Workbench

from tests.bench.crooked_server import (
    CrookedMqtt,
    CrookedNats,
    CrookedServer,
    CrookedSocketIo,
    Twist,
    frame,
)

CLIENTS = 3
COUNT = 20
AT_ONCE = 1e9

Connect = Callable[..., LoadClient]


@pytest.fixture
def connect(load_clients: Workbench, tmp_path: Path) -> Iterator[Connect]:
    """A function that serves *server* and connects clients to it."""
    with ExitStack() as closers:

        def connect(server: CrookedServer, protocol: str = "plain", *, clients: int = CLIENTS) -> LoadClient:
            control = tmp_path / "control"
            closers.enter_context(server.serving(control))
            program = load_clients.client("loadclient")
            load = LoadClient(
                program,
                core=two_cores().client,
                protocol=protocol,
                port=server.port,
                clients=clients,
                control=control,
                grace=0.3,
            )
            closers.callback(load.close)
            load.connect()
            return load

        yield connect


def lose(index: int) -> Twist:
    return lambda pieces: [piece for at, piece in enumerate(pieces) if at != index]


def double(index: int) -> Twist:
    return lambda pieces: [*pieces[:index], pieces[index], *pieces[index:]]


def overtake(index: int) -> Twist:
    return lambda pieces: [*pieces[:index], pieces[index + 1], pieces[index], *pieces[index + 2 :]]


def in_pieces_of(size: int) -> Twist:
    def cut(pieces: list[bytes]) -> list[bytes]:
        stream = b"".join(pieces)
        return [stream[at : at + size] for at in range(0, len(stream), size)]

    return cut


@pytest.mark.parametrize(
    ("make", "protocol"),
    [
        (CrookedServer, "plain"),
        (lambda: CrookedServer(in_pieces_of(101)), "plain"),
        (lambda: CrookedServer(in_pieces_of(1)), "plain"),
        (CrookedNats, "nats"),
        (CrookedMqtt, "mqtt"),
        (CrookedSocketIo, "socketio"),
    ],
    ids=["plain", "in pieces", "byte by byte", "nats", "mqtt", "socketio"],
)
def test_every_message_of_every_client_is_counted_once(
    connect: Connect, make: Callable[[], CrookedServer], protocol: str
) -> None:
    load = connect(make(), protocol)

    for _ in range(2):
        arrivals = load.paced(COUNT, rate=AT_ONCE)
        assert arrivals.is_whole, arrivals
        assert arrivals.received == arrivals.expected == COUNT * CLIENTS


@pytest.mark.parametrize("index", [0, 7, COUNT - 1], ids=["first", "middle", "last"])
@pytest.mark.parametrize(("make", "protocol"), [(CrookedServer, "plain"), (CrookedNats, "nats"), (CrookedMqtt, "mqtt")])
def test_a_lost_message_is_noticed(
    connect: Connect, make: Callable[[Twist], CrookedServer], protocol: str, index: int
) -> None:
    arrivals = connect(make(lose(index)), protocol).paced(COUNT, rate=AT_ONCE)

    assert not arrivals.is_whole
    assert (arrivals.missing, arrivals.late) == (CLIENTS, 0)
    assert arrivals.skipped == (0 if index == COUNT - 1 else CLIENTS)


def test_a_message_that_comes_twice_is_noticed(connect: Connect) -> None:
    arrivals = connect(CrookedServer(double(7))).paced(COUNT, rate=AT_ONCE)

    assert not arrivals.is_whole
    assert (arrivals.missing, arrivals.late) == (0, CLIENTS)


def test_a_message_that_overtakes_another_is_noticed(connect: Connect) -> None:
    arrivals = connect(CrookedServer(overtake(7))).paced(COUNT, rate=AT_ONCE)

    assert not arrivals.is_whole
    assert (arrivals.missing, arrivals.late) == (CLIENTS, CLIENTS)


def test_a_client_that_the_server_sends_away_is_noticed_with_the_reason(connect: Connect) -> None:
    close = frame((1013).to_bytes(2, "big"), opcode=8)

    arrivals = connect(CrookedServer(lambda pieces: [*pieces[:5], close])).paced(COUNT, rate=AT_ONCE)

    assert not arrivals.is_whole
    assert (arrivals.gone, arrivals.clients) == (CLIENTS, 0)
    assert "1013" in arrivals.reason


def test_a_ping_is_answered(connect: Connect) -> None:
    server = CrookedServer(lambda pieces: [*pieces[:5], frame(b"are you there", opcode=9), *pieces[5:]])

    assert connect(server).paced(COUNT, rate=AT_ONCE).is_whole
    server.wait_for(b"\x8a\x8d\0\0\0\0are you there")


def test_a_flood_grants_as_much_as_arrives_and_loses_nothing(connect: Connect) -> None:
    arrivals = connect(CrookedServer()).flood(0.2, window=64)

    assert arrivals.is_whole, arrivals
    assert arrivals.published > 64
    assert arrivals.rate == pytest.approx(arrivals.received / arrivals.seconds)


def test_latency_is_from_when_a_message_was_due(connect: Connect) -> None:
    kept: list[bytes] = []

    def all_at_the_end(pieces: list[bytes]) -> list[bytes]:
        kept.extend(pieces)
        return [kept.pop(0) for _ in range(COUNT)] if len(kept) == COUNT else []

    arrivals = connect(CrookedServer(all_at_the_end)).paced(COUNT, rate=100)

    assert arrivals.is_whole
    assert arrivals.p50_us == pytest.approx(95_000, abs=60_000)  # the middle one was due 100 ms before the last
    assert arrivals.p99_us >= 150_000


def test_a_server_that_lets_nobody_in_is_told_with_its_answer(connect: Connect) -> None:
    server = CrookedServer()
    server.answer = b"HTTP/1.1 503 Busy\r\n\r\n"

    with pytest.raises(LoadError, match=r"3 of 3 clients were not let in: the server answered 'HTTP/1\.1 503 Busy'"):
        connect(server)
