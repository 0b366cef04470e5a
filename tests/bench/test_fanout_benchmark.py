"""Fan-out, measured at the real host with a few clients."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from benchmarks.fanout.contenders import CONTENDERS, RESTRICTED, SETS
from benchmarks.fanout.marks import SIZE, Order, payload, read_order, text
from benchmarks.figures import OURS
from benchmarks.host import ServedHost
from benchmarks.machine import two_cores
from benchmarks.requests import HttpLoad
from benchmarks.workbench import Workbench


@pytest.mark.parametrize("number", [0, 99_999_999])
def test_a_payload_has_its_size_and_is_json(number: int) -> None:
    message = payload(7, number, 123_456_789)

    assert len(text(message)) == SIZE
    assert json.loads(text(message)) == message


def test_an_order_says_when_each_message_is_due() -> None:
    order = read_order("3 100 4 1000\n")

    dues = list(order.dues())

    assert order == Order(3, 100, 4, 1_000)
    assert [number for number, _ in dues] == [100, 101, 102, 103]
    assert [due - dues[0][1] for _, due in dues] == [0, 1_000, 2_000, 3_000]


@pytest.mark.parametrize("name", [OURS, SETS, RESTRICTED])
def test_the_real_host_delivers_everything_in_order(load_clients: Workbench, name: str) -> None:
    ours = next(one for one in CONTENDERS if one.name == name)

    with ours.loaded(load_clients, two_cores(), clients=4) as (served, load):
        before = served.process.cpu_seconds()
        flood = load.flood(0.2, window=64)
        paced = load.paced(10, rate=200)

        assert flood.is_whole, flood
        assert paced.is_whole, paced
        assert paced.received == 40
        assert served.process.cpu_seconds() > before


@pytest.fixture
def host(load_clients: Workbench) -> Iterator[ServedHost]:
    with ServedHost(load_clients, core=two_cores().server) as host:
        yield host


def test_requests_are_counted_and_failures_are_none(load_clients: Workbench, host: ServedHost) -> None:
    def load(path: str) -> HttpLoad:
        program = load_clients.client("httpclient")
        return HttpLoad(
            program,
            core=two_cores().client,
            port=host.port,
            path=path,
            seconds=1,
            connections=4,
            header=host.header,
        )

    answers = load("/bench/").answers()

    assert answers.requests > 4
    assert 0 < answers.p50_us <= answers.p99_us <= answers.p100_us
    with pytest.raises(RuntimeError, match="404"):
        load("/bench/nothing").answers()
