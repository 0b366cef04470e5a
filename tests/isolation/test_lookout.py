"""Waiting for a socket: awake for a moment while that pays."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from threading import Thread

import pytest

from corehost.plugins.isolation.lookout import Lookout

_LONG = 30.0
_MOMENT = 0.05
_ON_ONE_CORE = """
import os
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
from corehost.plugins.isolation.lookout import MOMENT
print(MOMENT)
"""


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def is_awake(lookout: Lookout) -> bool:
    """Look out in vain; tell whether that took more of the processor than to leave it out does."""
    began = time.thread_time()
    assert not lookout.comes_soon()
    return time.thread_time() - began > 0.001


def test_what_comes_while_awake_is_seen(pair: tuple[socket.socket, socket.socket]) -> None:
    lookout = Lookout(pair[0].fileno(), moment=_LONG)
    Thread(target=pair[1].send, args=(b"x",)).start()

    assert lookout.comes_soon()


def test_after_staying_awake_in_vain_it_sleeps_ever_more_often(pair: tuple[socket.socket, socket.socket]) -> None:
    lookout = Lookout(pair[0].fileno(), moment=_MOMENT)

    assert [is_awake(lookout) for _ in range(7)] == [True, False, True, False, False, False, True]


def test_it_stays_awake_again_once_that_has_paid(pair: tuple[socket.socket, socket.socket]) -> None:
    lookout = Lookout(pair[0].fileno(), moment=_MOMENT)
    assert [is_awake(lookout) for _ in range(3)] == [True, False, True]
    pair[1].send(b"x")
    assert [lookout.comes_soon() for _ in range(4)] == [False, False, False, True]
    pair[0].recv(1)

    assert is_awake(lookout)


def test_who_does_not_stay_awake_is_woken(pair: tuple[socket.socket, socket.socket]) -> None:
    lookout = Lookout(pair[0].fileno(), moment=0)
    Thread(target=pair[1].send, args=(b"x",)).start()

    assert lookout.comes(_LONG)


def test_a_wait_ends(pair: tuple[socket.socket, socket.socket]) -> None:
    assert not Lookout(pair[0].fileno()).comes(0.01)


def test_on_the_only_core_nobody_stays_awake() -> None:
    found = subprocess.run([sys.executable, "-c", _ON_ONE_CORE], capture_output=True, text=True, timeout=60, check=True)

    assert found.stdout.strip() == "0.0"
