"""Whatever is written to one client by whom, it goes through one writer: each frame whole, and a close behind all."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from tests.tiers import Scale, Tell
from tests.web.relay.browser import Raw, frame, rpc
from tests.web.relay.conftest import LocalHost, local_host

pytestmark = pytest.mark.suite("One writer a client")

SIZES = (200, 4_000, 70_000, 1_000_000)  # each way to write a length, and far more than a buffer of the kernel
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
HANG = 120.0


class Reading:
    """Reads a client's frames, and fails at the first that is not as somebody wrote it."""

    def __init__(self, raw: Raw, size: int) -> None:
        self.numbers: dict[str, list[int]] = {"a": [], "b": []}
        self.counts: Counter[str] = Counter()
        self.code: int | None = None
        self._raw = raw
        self._size = size

    def next(self) -> None:
        opcode, payload = self._raw.frame()
        if opcode == TEXT:
            self._take(json.loads(payload))
        elif opcode == CLOSE:
            self.code = int.from_bytes(payload[:2], "big")
        else:
            assert (opcode, payload) in ((PING, b""), (PONG, b"are you there")), (opcode, payload[:80])
            self.counts["pings" if opcode == PING else "pongs"] += 1

    def until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + HANG
        while not holds():
            assert time.monotonic() < end, "it never came"
            self.next()

    def _take(self, told: dict[str, Any]) -> None:
        if told.get("method") == "bus.message":
            message = told["params"]["message"]
            name = message["type"][0]
            assert message["payload"]["pad"] == name * self._size, "not mixed with another"
            self.numbers[name].append(message["payload"]["n"])
        else:
            assert told.get("method") != "bus.gap", "nothing is forgotten here"
            self.counts[told.get("method", "answers")] += 1


@pytest.fixture
def host(held: ExitStack) -> LocalHost:
    """A host that queues whatever it is given, and pings all the time."""
    limits: dict[str, Any] = {"heartbeat": 0.05, "misses": 100_000, "close_wait": HANG, "session_rate": None}
    return held.enter_context(local_host(out_buffer=2_000_000_000, **limits))


@pytest.fixture
def raw(host: LocalHost, held: ExitStack) -> Raw:
    """A client that has subscribed to all, and reads only what is asked of it."""
    return subscriber(host, held, "s1", receive_buffer=8_192)


def subscriber(host: LocalHost, held: ExitStack, session: str, **options: Any) -> Raw:
    raw = held.enter_context(host.raw(**options))
    raw.sock.settimeout(HANG)
    raw.open(f"admin/{session}")
    raw.send(rpc("bus.subscribe", type="*"))
    greeting = Reading(raw, 0)
    greeting.until(lambda: greeting.counts["answers"] == 1)
    return raw


def enough(scale: Scale, size: int) -> int:
    """Return how many messages are more than the kernel's buffers take."""
    return scale(200, least=10) if size > 65_536 else scale(4_000, least=500)


@pytest.mark.parametrize("size", SIZES)
def test_frames_of_many_writers_to_a_stalled_client_are_never_mixed(
    host: LocalHost, raw: Raw, scale: Scale, tell: Tell, size: int
) -> None:
    count = enough(scale, size)
    reading = Reading(raw, size)

    def publish(name: str) -> None:
        for number in range(count):
            host.backend.publish(f"{name}:x", {"n": number, "pad": name * size})

    def navigate() -> None:
        for _ in range(count):
            assert host.relay.notify("s1", "ui.navigate", {"path": "/clock"})

    writers = [threading.Thread(target=publish, args=(name,)) for name in "ab"]
    writers.append(threading.Thread(target=navigate))
    for writer in writers:
        writer.start()
    raw.send(b"".join(frame(b"are you there", PING) + rpc("ping", id=number) for number in range(count)))
    for writer in writers:
        writer.join(HANG)
    wanted = {"pongs": count, "answers": count, "ui.navigate": count}
    reading.until(lambda: all(reading.counts[what] == many for what, many in wanted.items()))
    reading.until(lambda: min(map(len, reading.numbers.values())) == count)
    reading.until(lambda: reading.counts["pings"] > 0)

    assert reading.numbers == {"a": list(range(count)), "b": list(range(count))}
    frames = sum(reading.counts.values()) + 2 * count
    tell(f"{size:,} bytes: {frames:,} frames of 2 publishers, pings, pongs, answers and notices: all whole, in order")


@pytest.mark.parametrize("closer", ["client", "host"])
@pytest.mark.parametrize("size", SIZES)
def test_a_close_waits_for_what_is_queued(
    host: LocalHost, raw: Raw, held: ExitStack, scale: Scale, size: int, closer: str
) -> None:
    count = enough(scale, size)
    reading, witness = Reading(raw, size), Reading(subscriber(host, held, "s2"), size)
    host.backend.publish("a:x", {"n": -1, "pad": "a" * size})
    for one in (reading, witness):  # from now it is known that they may see this, and all is queued as it comes
        one.until(partial(one.numbers["a"].__contains__, -1))
        one.numbers["a"].clear()
    for number in range(count):
        host.backend.publish("a:x", {"n": number, "pad": "a" * size})
    witness.until(lambda: len(witness.numbers["a"]) == count)  # so it is queued for both

    if closer == "client":
        raw.send(frame(b"\x03\xe8", CLOSE))
    else:
        host.relay.disconnect(session="s1")
    reading.until(lambda: reading.code is not None)

    assert reading.numbers["a"] == list(range(count))
    assert reading.code == (1000 if closer == "client" else 1008)
    assert raw.at_end()
