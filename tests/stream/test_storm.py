"""Ten thousand browsers come in a storm and go: none is refused, and nothing of them stays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.kit import Browser, Served, until
from tests.stream.crowd import AT_ONCE, Crowd
from tests.stream.process import Process
from tests.tiers import Scale, Tell

pytestmark = pytest.mark.suite("A storm of connections")

POOL = 16 + 256
"""The threads that look after requests: the server starts them as they are needed, and keeps them."""

SPARE = 8
"""Descriptors that a host may have open now and had not before, for files of its own."""

HANG = 300.0
"""Seconds in which even a busy machine has opened all."""


@pytest.fixture
def host(tmp_path: Path, descriptors: int) -> Iterator[Served]:
    served = Served(tmp_path / "data")
    yield served.ready()
    served.kill()


def test_a_storm_of_connections_is_held_and_leaves_nothing_behind(
    host: Served, crowd: Crowd, descriptors: int, scale: Scale, tell: Tell
) -> None:
    count = scale(10_000)
    if descriptors < count * 3 // 2:
        pytest.skip(f"needs {count * 3 // 2:,} descriptors, may have {descriptors:,}: raise 'ulimit -Hn'")
    process = Process(host)
    most_threads = process.threads() + POOL
    with host.browser() as browser:
        browser.call("bus.subscribe", type="storm:*")
        few = process.descriptors() + SPARE
        crowd.open(min(count, AT_ONCE), seconds=HANG)
        crowd.go()
        until(lambda: process.descriptors() <= few, "the first are forgotten", seconds=HANG)

        began = time.monotonic()
        crowd.open(count, seconds=HANG)
        seconds = time.monotonic() - began

        assert crowd.statuses() == {101: count}
        assert process.descriptors() >= count
        assert heard_back(browser, "all are here")
        crowd.go()
        until(lambda: process.descriptors() <= few, "all are forgotten", seconds=HANG)
        assert process.threads() <= most_threads
        assert heard_back(browser, "all have gone")
    assert host.get("/healthz").status == 200
    assert host.tracebacks() == []
    tell(f"{count:,} connects, up to {min(count, AT_ONCE):,} at a time: 0 refused, nothing left; {seconds:.1f} s")


def heard_back(browser: Browser, text: str) -> bool:
    """Tell whether the host still takes messages and hands them out."""
    browser.call("bus.send", type="storm:over", payload=text)
    return bool(browser.message("storm:over")["payload"] == text)
