"""What plugins leave is collected, also among what a start has set aside."""

from __future__ import annotations

import gc
import queue
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from corehost.plugins.garbage import Collector, growing, thawed
from corehost.plugins.leaks import Leaks
from tests.plugins.workshop import Workshop


class Ring:
    """Something that only a collection can part from itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _aside() -> Iterator[None]:
    thresholds = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def dropped_ring() -> weakref.ref[Ring]:
    with growing():
        ring = Ring()
    return weakref.ref(ring)


def test_what_a_start_has_made_is_not_looked_at_again() -> None:
    ring = dropped_ring()

    gc.collect()

    assert ring() is not None


def test_a_start_that_fails_leaves_the_collector_as_it_was() -> None:
    with pytest.raises(ZeroDivisionError), growing():
        _ = 1 / 0

    assert gc.get_threshold() == (700, 10, 10)


def test_what_was_set_aside_is_collected_when_something_must_go() -> None:
    ring = dropped_ring()

    assert Collector().collect(lambda: ring() is None)

    assert ring() is None
    assert gc.get_freeze_count()


def test_what_is_new_is_collected_without_the_rest() -> None:
    collector = Collector()
    old = dropped_ring()
    new = weakref.ref(Ring())

    assert collector.collect(lambda: new() is None)

    assert old() is not None


def test_everything_is_not_collected_again_and_again() -> None:
    collector = Collector()
    kept = Ring()
    with growing():
        pass

    assert collector.collect(lambda: False)  # all was looked at, and it is there still

    assert not collector.collect(lambda: kept is None)


def test_what_was_set_aside_can_be_found_for_a_while() -> None:
    with growing():
        held: list[Any] = [Ring()]

    with thawed():
        assert any(holder is held for holder in gc.get_referrers(held[0]))

    assert not any(holder is held for holder in gc.get_referrers(held[0]))


def test_a_plugin_of_the_start_that_goes_is_not_taken_for_a_leak(workshop: Workshop) -> None:
    workshop.build(leak_seconds=0.3)
    workshop.write("tested", "LEVEL = writable(1)")
    with growing():
        plugins = workshop.start()
    gone = threading.Event()
    module = plugins.registry.get("tested").module
    assert module is not None
    weakref.finalize(module, gone.set)
    del module

    plugins.lifecycle.disable("tested")

    assert gone.wait(15)
    assert workshop.faults.summary("tested")["errors"] == {}


class ByHand:
    """Timers that call nothing by themselves, and whoever hears of leaks."""

    def __init__(self) -> None:
        self.planned: queue.Queue[Callable[[], None]] = queue.Queue()
        self.told: queue.Queue[tuple[str, tuple[str, ...]]] = queue.Queue()

    def later(self, seconds: float, run: Callable[[], None]) -> None:
        self.planned.put(run)

    def note_left(self, plugin_id: str, version: str, left: tuple[str, ...]) -> None:
        self.told.put((plugin_id, left))


def test_of_two_that_go_one_after_the_other_the_second_is_judged_when_all_may_be_collected_again(
    workshop: Workshop,
) -> None:
    workshop.build(leak_seconds=600)
    workshop.write("first", "")
    workshop.write("second", "")
    hand: Any = ByHand()
    leaks = Leaks(hand, hand, hand, lambda plugin_id: plugins.registry.find(plugin_id), seconds=0)
    with growing():
        plugins = workshop.start()

    for name in ("first", "second"):
        gone = leaks.going(plugins.registry.get(name))
        plugins.lifecycle.disable(name)
        gone()
        hand.planned.get(timeout=15)()
        if name == "first":
            assert hand.told.get(timeout=15) == ("first", ())

    assert hand.planned.get(timeout=15)  # another look, as this one came too soon
    assert hand.told.empty()
