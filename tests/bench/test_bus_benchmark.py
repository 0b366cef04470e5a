"""The works of the bus benchmark: they count what was handled, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.bus.floor import BareLane
from benchmarks.bus.peers import Blinker
from benchmarks.bus.works import Counts, crowd, rate_of, works
from benchmarks.workbench import HERE, Workbench

SECONDS = 0.02


class Forgetful:
    """A bus that loses each thousandth message."""

    def __init__(self, loses: bool) -> None:
        self._counts = Counts()
        self._cell = self._counts.cell()
        self._loses = loses
        self.handled = self._counts.total

    def send_many(self, count: int) -> None:
        self._cell[0] += count - count // 1_000 if self._loses else count

    def finish(self) -> None: ...


def child(workbench: Workbench, *command: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", *command], env=workbench.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.fixture
def workbench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


def test_only_what_was_handled_counts() -> None:
    assert rate_of(Forgetful(loses=False), 1, SECONDS) > 0
    with pytest.raises(AssertionError, match="were handled"):
        rate_of(Forgetful(loses=True), 1, SECONDS)


@pytest.mark.parametrize("key", list(works()))
def test_each_message_of_a_work_has_as_many_hearers_as_it_says(key: str) -> None:
    work = works()[key]

    for type in work.types[::97]:
        exact = work.exact.count(type)
        wild = sum(type.startswith(prefix) for prefix in work.prefixes)
        assert exact + wild == work.hearers


def test_the_crowd_is_as_large_as_its_title_says() -> None:
    crowded = works()["d"]

    assert (len(set(crowded.exact)), len(set(crowded.prefixes))) == (100_000, 1_000)


def test_a_small_crowd_has_the_same_hearers() -> None:
    work = crowd("", 5, 2, entities=1)

    assert len(work.exact) == len(work.prefixes) == 10
    assert set(work.types) <= set(work.exact)


@pytest.mark.parametrize("key", ["a", "d"])
def test_the_floor_does_the_works(key: str) -> None:
    work = works()[key]

    assert rate_of(BareLane(work), work.hearers, SECONDS) > 0


@pytest.mark.parametrize("key", ["a", "b", "c"])
def test_a_peer_does_the_works(key: str) -> None:
    work = works()[key]

    assert rate_of(Blinker(work), work.hearers, SECONDS) > 0


@pytest.mark.parametrize(("variant", "key"), [("plain", "a"), ("ten-lanes", "b"), ("no-schema", "c")])
def test_our_bus_does_the_works_with_no_dead_letter(workbench: Workbench, variant: str, key: str) -> None:
    assert child(workbench, "benchmarks.bus.ours", variant, key, str(SECONDS))["rate"] > 0


@pytest.mark.parametrize("who", ["ours", "floor"])
def test_answers_are_timed(workbench: Workbench, who: str) -> None:
    found = child(workbench, "benchmarks.bus.asking", who, str(SECONDS))

    assert 0 < found["p50"] <= found["p99"]


def test_the_peer_on_node_has_the_same_works() -> None:
    script = (HERE / "node" / "eventemitter2.js").read_text(encoding="utf-8")

    assert all(f"  {key}: () =>" in script for key in works())
