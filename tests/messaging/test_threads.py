from __future__ import annotations

import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from corehost.messaging.bells import Bell, DescriptorBell, LockBell, prompt_bell
from corehost.messaging.threads import ThreadCache
from tests.messaging.witness import PATIENCE, Gate, await_end


@pytest.fixture(params=[LockBell, DescriptorBell])
def new_bell(request: pytest.FixtureRequest) -> Callable[[], Bell]:
    made: Callable[[], Bell] = request.param
    return made


@pytest.fixture
def cache(new_bell: Callable[[], Bell]) -> Iterator[ThreadCache]:
    cache = ThreadCache("test-cache", new_bell=new_bell)
    yield cache
    cache.close()
    await_end("test-cache")


class Workers:
    """Remembers which threads have worked."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._done = threading.Semaphore(0)

    def work(self) -> None:
        self.names.append(threading.current_thread().name)
        self._done.release()

    def await_work(self) -> None:
        assert self._done.acquire(timeout=PATIENCE)


def test_work_that_cannot_wait_gets_a_thread_of_its_own(cache: ThreadCache, gate: Gate) -> None:
    for _ in range(3):
        cache.run(gate)
    for _ in range(3):
        gate.await_visitor()


def test_a_thread_that_waits_is_used_again(cache: ThreadCache, gate: Gate) -> None:
    workers = Workers()
    cache.run(gate)
    gate.await_visitor()
    for _ in range(50):
        cache.run(workers.work)
        workers.await_work()
    assert len(set(workers.names)) < 10  # one at a time; a new one only where the last had not yet sat down


def test_a_thread_that_got_no_work_ends(new_bell: Callable[[], Bell]) -> None:
    cache = ThreadCache("test-idle", keep=0.01, new_bell=new_bell)
    workers = Workers()
    cache.run(workers.work)
    workers.await_work()
    await_end("test-idle")
    cache.run(workers.work)  # and the next work gets another
    workers.await_work()
    await_end("test-idle")
    assert workers.names == ["test-idle-1", "test-idle-2"]


def test_no_work_is_lost_when_it_comes_as_a_thread_is_about_to_leave(new_bell: Callable[[], Bell]) -> None:
    cache = ThreadCache("test-leaving", keep=0.0002, new_bell=new_bell)
    workers = Workers()
    pause = threading.Event()
    for number in range(600):
        cache.run(workers.work)
        workers.await_work()
        pause.wait(0.0002 + number % 10 * 0.00001)
    await_end("test-leaving")


def test_no_more_threads_wait_than_may(cache: ThreadCache, gate: Gate) -> None:
    cache.keep(1)
    for _ in range(5):
        cache.run(gate)
    for _ in range(5):
        gate.await_visitor()
    gate.open()
    cache.keep(0)
    await_end("test-cache")


def test_a_closed_cache_ends_its_threads_after_their_work(gate: Gate, new_bell: Callable[[], Bell]) -> None:
    cache = ThreadCache("test-closing", new_bell=new_bell)
    cache.run(gate)
    gate.await_visitor()
    cache.close()
    gate.open()
    await_end("test-closing")


def test_work_gets_its_thread_when_no_more_files_can_be_opened() -> None:
    cache = ThreadCache("test-out-of-files", new_bell=prompt_bell)
    workers = Workers()
    with no_more_files():
        for _ in range(3):  # the first on a new thread, the others maybe on one that waits
            cache.run(workers.work)
            workers.await_work()
    cache.close()
    await_end("test-out-of-files")


def test_threads_that_have_ended_leave_no_files_open(gate: Gate) -> None:
    cache = ThreadCache("test-files", new_bell=prompt_bell)
    before = open_files()
    for _ in range(100):
        cache.run(gate)
    for _ in range(100):
        gate.await_visitor()
    gate.open()
    cache.close()
    await_end("test-files")
    assert open_files() < before + 50  # not quite the same: what other tests have left comes and goes


@contextmanager
def no_more_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
