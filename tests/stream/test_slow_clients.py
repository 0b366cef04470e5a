"""Who does not read is closed and can resume, who is gone is found, and the others notice nothing."""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.serve.kit import Served, until
from tests.stream.crowd import TEXT, Crowd, Member, answer, request
from tests.stream.process import Process
from tests.tiers import Scale, Tell
from tests.web.relay.conftest import local_host
from tests.web.relay.conftest import until as soon

pytestmark = pytest.mark.suite("Slow and dead clients")

TYPE = "stream:flow"
BURST = 250
ENOUGH = 5_000
"""Messages of which one who does not read overflows every buffer on the way."""
MEMORY = 64 * 1_048_576
"""Bytes by which the host may grow: five full buffers are 5 MB, the history of such messages is 15."""

HANG = 120.0
_NUMBER = re.compile(rb'"n":(\d+),"at":(\d+)')


class Readers:
    """Takes note of what each of a crowd has read: every message once and in order."""

    def __init__(self) -> None:
        self.next: Counter[Member] = Counter()
        self.latencies: list[float] = []

    def hear(self, member: Member, opcode: int, payload: bytes) -> None:
        answer(member, opcode, payload)
        found = _NUMBER.search(payload) if opcode == TEXT else None
        if b'"subscription"' in payload:
            self.next[member] = 0
        elif found is not None:
            assert int(found[1]) == self.next[member], "each once and in order"
            self.next[member] += 1
            self.latencies.append((time.monotonic_ns() - int(found[2])) / 1_000_000)

    def have_all(self, members: Iterable[Member], count: int) -> bool:
        return all(self.next[member] == count for member in members)

    def late(self) -> float:
        """Return the milliseconds that 99 of 100 messages took at most, and forget them."""
        latencies, self.latencies = sorted(self.latencies), []
        return latencies[len(latencies) * 99 // 100]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Served]:
    shutil.copytree(Path(__file__).parent / "plugins", tmp_path / "data" / "plugins")
    served = Served(tmp_path / "data")
    yield served.ready()
    served.kill()


def test_five_of_a_hundred_that_stop_reading_are_closed_and_the_others_hear_all(
    host: Served, crowd: Crowd, scale: Scale, tell: Tell
) -> None:
    count, calm = scale(20_000, least=ENOUGH), 4 * BURST
    readers, process = Readers(), Process(host)
    stalled = crowd.open(5, readers.hear, seconds=HANG, receive_buffer=4_096)
    reading = crowd.open(95, readers.hear, seconds=HANG)
    for member in crowd.members:
        member.send(request("bus.subscribe", 1, type=TYPE))
    crowd.until(lambda: len(readers.next) == 100, "all have subscribed", seconds=HANG)

    def flow(first: int, last: int, to: list[Member]) -> None:
        for number in range(first, last, BURST):
            host.call("spring", "pour", {"type": TYPE, "count": BURST, "first": number, "pad": 200})
            crowd.until(partial(readers.have_all, to, number + BURST), "all is read", seconds=HANG)

    flow(0, calm, crowd.members)
    late_before, memory, held = readers.late(), process.memory(), process.descriptors()
    crowd.ignore(stalled)
    began = time.monotonic()
    flow(calm, calm + ENOUGH, reading)
    until(lambda: process.descriptors() <= held - 5, "the five are closed", seconds=HANG)
    seconds = time.monotonic() - began
    # Read while the farewell still lies in the kernel, which lets go of it a minute after the socket was closed.
    crowd.listen(stalled)
    crowd.until(lambda: all(member.is_ended for member in stalled), "the five find their end", seconds=HANG)
    flow(calm + ENOUGH, calm + count, reading)
    late, grown = readers.late(), process.memory() - memory

    assert [member.code for member in stalled] == [1013] * 5
    assert grown < MEMORY
    assert {member.is_ended for member in reading} == {False}
    assert late < 20 * late_before + 1_000, "ten times what it should be at most"
    tell(
        f"{count:,} messages, 5 of 100 do not read: closed with 1013, all {seconds:.1f} s after they stopped; "
        f"p99 of the others {late:.1f} ms, before {late_before:.1f} ms; the host grew by {grown / 1e6:.1f} MB"
    )


def test_half_open_connections_are_found_by_the_heartbeat_and_the_others_stay(held: ExitStack, tell: Tell) -> None:
    host = held.enter_context(local_host(heartbeat=1.0))
    stream = held.enter_context(host.events())
    alive = [held.enter_context(host.browser()) for _ in range(5)]  # a library that answers pings by itself
    gone = [held.enter_context(host.raw()) for _ in range(20)]
    for raw in gone:
        raw.open()  # and never answers anything
    soon(lambda: len(host.relay.clients()) == 26)

    began = time.monotonic()
    soon(lambda: len(host.relay.clients()) == 6, HANG)
    seconds = time.monotonic() - began

    for _ in range(2):
        stream.comment()
    assert all(browser.call("ping") for browser in alive)
    assert len(host.relay.clients()) == 6
    soon(lambda: host.relay.sockets() == 6)
    tell(f"20 of 26 connections half open, a heartbeat each 1 s: found and let go after {seconds:.1f} s")
