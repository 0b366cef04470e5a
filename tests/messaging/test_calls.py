from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest

from corehost.contract.errors import AbortedError, BusyError, LateError
from corehost.contract.user import Signal
from corehost.messaging.calls import Calls
from corehost.messaging.trail import Trail, current_trail
from tests.messaging.witness import PATIENCE, Bystanders, Gate, await_end


def test_a_call_returns_what_the_function_returns(calls: Calls) -> None:
    assert calls.call("a", divmod, 7, 3, timeout=PATIENCE) == (2, 1)
    assert calls.call("a", divmod, 7, 3, timeout=None) == (2, 1)


def test_what_the_function_raises_is_raised_as_it_is(calls: Calls) -> None:
    with pytest.raises(ZeroDivisionError):
        calls.call("a", divmod, 7, 0, timeout=PATIENCE)
    with pytest.raises(TimeoutError, match="its own"):
        calls.call("a", raises, TimeoutError("its own"), timeout=PATIENCE)


def raises(error: BaseException) -> None:
    raise error


def test_a_call_runs_on_its_trail_and_leaves_it(calls: Calls) -> None:
    trail = Trail(cause="m1", hops=2)
    assert calls.call("a", current_trail, timeout=PATIENCE, trail=trail) is trail
    assert calls.call("a", current_trail, timeout=PATIENCE) == Trail()


def test_a_late_call_is_given_up_and_its_signal_aborted(calls: Calls, gate: Gate) -> None:
    signal = Signal()
    with pytest.raises(LateError, match=r"'a' did not answer within 0\.05 s"):
        calls.call("a", gate, timeout=0.05, signal=signal)
    assert signal.aborted


def test_a_call_in_time_does_not_abort_its_signal(calls: Calls) -> None:
    signal = Signal()
    calls.call("a", int, timeout=PATIENCE, signal=signal)
    assert not signal.aborted


def test_calls_of_one_owner_run_beside_each_other(calls: Calls) -> None:
    meeting = threading.Barrier(8, timeout=PATIENCE)
    futures = [calls.submit("a", meeting.wait, timeout=PATIENCE) for _ in range(8)]
    assert sorted(future.result(PATIENCE) for future in futures) == list(range(8))


def test_an_owner_whose_places_are_all_taken_is_busy_at_once(calls: Calls, gate: Gate) -> None:
    for _ in range(32):
        calls.submit("a", gate, timeout=PATIENCE)
    with pytest.raises(BusyError, match="'a' works on 32 calls already"):
        calls.call("a", int, timeout=PATIENCE)
    assert calls.call("b", int, timeout=PATIENCE) == 0


def test_a_late_call_keeps_its_place_until_it_really_ends(bystanders: Bystanders, gate: Gate) -> None:
    calls = Calls(limit=1)
    stuck = threading.Event()

    def late() -> None:
        gate()
        stuck.set()

    with pytest.raises(LateError):
        calls.call("a", late, timeout=0.01)
    with pytest.raises(BusyError):
        calls.call("a", int, timeout=PATIENCE)
    assert calls.running() == {"a": 1}

    gate.open()
    assert stuck.wait(PATIENCE)
    calls.close()
    await_end("corehost-call", but=bystanders)
    assert calls.running() == {}


def test_a_place_is_free_when_the_result_is_there(calls: Calls) -> None:
    single = Calls(limit=1)
    for _ in range(200):
        single.call("a", int, timeout=PATIENCE)
    single.close()


def test_who_cancels_aborts_the_signal(calls: Calls, gate: Gate) -> None:
    signal = Signal()
    future = calls.submit("a", gate, timeout=PATIENCE, signal=signal)
    gate.await_visitor()
    assert future.cancel()
    assert signal.aborted
    with pytest.raises(CancelledError):
        future.result(PATIENCE)


def test_closing_gives_up_every_call_and_ends_all_threads(bystanders: Bystanders, gate: Gate) -> None:
    calls = Calls()
    signal = Signal()
    future = calls.submit("a", gate, timeout=PATIENCE, signal=signal)
    gate.await_visitor()

    calls.close()

    with pytest.raises(AbortedError, match="stopping"):
        future.result(PATIENCE)
    assert signal.aborted
    gate.open()
    await_end("corehost-call", "corehost-deadlines", but=bystanders)
