"""A bus with a recording account of faults."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

from corehost.messaging.bus import Bus
from corehost.messaging.calls import Calls
from corehost.messaging.lanes import Lanes
from tests.messaging.witness import Account, Bystanders, Gate


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture
def bystanders() -> Bystanders:
    """The threads that were there before the test, of hosts in other suites; ask for this first."""
    return frozenset(threading.enumerate())


@pytest.fixture
def restless() -> Iterator[None]:
    """Let threads take turns as often as can be, so that what is not locked goes wrong soon."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture
def lanes(account: Account) -> Iterator[Lanes]:
    lanes = Lanes(account)
    yield lanes
    lanes.close()


@pytest.fixture
def calls() -> Iterator[Calls]:
    calls = Calls()
    yield calls
    calls.close()


@pytest.fixture
def bus(lanes: Lanes, calls: Calls, account: Account) -> Iterator[Bus]:
    bus = Bus(lanes=lanes, calls=calls, faults=account)
    for owner in "abc":
        bus.join(owner)
    yield bus
    bus.close()
