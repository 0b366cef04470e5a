"""A quarantined plugin is tried again ever later, and not for ever."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from corehost.plugins.quarantine import LONGEST_PAUSE, Quarantines


class Clock:
    """Timers that are due when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[[], Any]]] = []
        self.pauses: list[float] = []

    def later(self, seconds: float, run: Callable[[], Any]) -> None:
        self.pauses.append(seconds)
        self.waiting.append((seconds, run))

    def tick(self) -> None:
        _, run = self.waiting.pop(0)
        run()


class Plugins:
    """A life cycle with the plugin ``bad``, which ``leaning`` needs; it loads if it may."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.revived: list[tuple[str, ...]] = []
        self.loads = True
        self.quarantines: Quarantines | None = None

    def submit_quarantine(self, plugin_id: str, reason: str) -> Future[tuple[str, ...]]:
        self.reasons.append(reason)
        return done((plugin_id, "leaning"))

    def submit_revive(self, plugin_ids: tuple[str, ...]) -> Future[None]:
        self.revived.append(plugin_ids)
        if self.loads and "bad" in plugin_ids:
            assert self.quarantines is not None
            self.quarantines.is_back("bad", "1.0.0")
        return done(None)


def done(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def plugins() -> Plugins:
    return Plugins()


@pytest.fixture
def quarantines(clock: Clock, plugins: Plugins) -> Quarantines:
    plugins.quarantines = Quarantines(plugins, clock, first_pause=30.0)
    return plugins.quarantines


def test_the_pause_doubles_and_after_eight_tries_the_plugin_stays_off(
    quarantines: Quarantines, clock: Clock, plugins: Plugins
) -> None:
    for _ in range(8):
        quarantines.begin("bad", "1.0.0", "It fails.")
        clock.tick()
    quarantines.begin("bad", "1.0.0", "It fails.")

    assert clock.pauses == [30, 60, 120, 240, 480, 960, 1920, LONGEST_PAUSE]
    assert plugins.reasons[0] == "It fails. It is tried again in 30 s; reload or enable it to try at once."
    assert "stays off" in plugins.reasons[-1]
    state = quarantines.state("bad")
    assert state is not None
    assert (state["times"], state["retryAt"]) == (9, None)


def test_one_that_does_not_even_load_is_tried_again_later(
    quarantines: Quarantines, clock: Clock, plugins: Plugins
) -> None:
    plugins.loads = False
    quarantines.begin("bad", "1.0.0", "It fails.")
    clock.tick()
    clock.tick()

    assert clock.pauses == [30, 60, 120]
    assert plugins.revived == [("bad", "leaning")] * 2


def test_whoever_enables_it_begins_anew_and_brings_back_what_needs_it(
    quarantines: Quarantines, clock: Clock, plugins: Plugins
) -> None:
    quarantines.begin("bad", "1.0.0", "It fails.")
    quarantines.is_back("bad", "1.0.0")
    assert quarantines.state("bad") is None
    assert plugins.revived == [("leaning",)]

    clock.tick()  # of the first quarantine, which is over
    quarantines.begin("bad", "1.0.0", "It fails.")
    assert plugins.revived == [("leaning",)]
    assert clock.pauses == [30, 30]


def test_an_upgrade_begins_anew(quarantines: Quarantines, clock: Clock) -> None:
    quarantines.begin("bad", "1.0.0", "It fails.")
    clock.tick()
    quarantines.begin("bad", "2.0.0", "It fails.")

    assert clock.pauses == [30, 30]


def test_a_second_reason_while_it_is_off_changes_nothing(quarantines: Quarantines, plugins: Plugins) -> None:
    quarantines.begin("bad", "1.0.0", "It fails.")
    quarantines.begin("bad", "1.0.0", "It fails still.")

    assert len(plugins.reasons) == 1
