"""The threads that serve requests."""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator

import pytest

from corehost.web.worker_threads import Deferred, WorkerThreads

WAIT = 10.0


@pytest.fixture
def deferred() -> Iterator[Deferred]:
    deferred = Deferred()
    deferred.init()
    yield deferred
    deferred.close()


def test_jobs_run_beside_each_other_up_to_the_limit_and_the_rest_wait() -> None:
    threads, begun, go_on = WorkerThreads(2), threading.Semaphore(0), threading.Event()
    done = threading.Semaphore(0)

    def job() -> None:
        begun.release()
        go_on.wait(WAIT)
        done.release()

    for _ in range(3):
        threads.submit(job)

    assert begun.acquire(timeout=WAIT)
    assert begun.acquire(timeout=WAIT)
    assert not begun.acquire(timeout=0.1)
    go_on.set()
    assert all(done.acquire(timeout=WAIT) for _ in range(3))
    threads.shutdown()


def test_a_thread_that_is_done_serves_the_next_job() -> None:
    threads, served, done = WorkerThreads(8), set(), threading.Semaphore(0)

    def job() -> None:
        served.add(threading.current_thread().name)
        done.release()

    for _ in range(20):
        threads.submit(job)
        assert done.acquire(timeout=WAIT)
        threads.finished()

    assert len(served) == 1
    threads.shutdown()


def test_what_many_threads_defer_is_all_run_on_the_loop_although_it_rings_once(deferred: Deferred) -> None:
    heard: list[int] = []

    def defer() -> None:
        for number in range(500):
            deferred.defer(heard.append, number)

    crowd = [threading.Thread(target=defer) for _ in range(4)]
    for thread in crowd:
        thread.start()

    while len(heard) < 2_000:
        assert select.select([deferred.fileno()], [], [], WAIT)[0], "something was left behind without a ring"
        deferred.run_callbacks(deferred.fileno())

    for thread in crowd:
        thread.join()
    assert len(heard) == 2_000


def test_what_is_deferred_after_a_look_rings_again(deferred: Deferred) -> None:
    for _ in range(2):
        deferred.defer(print)
        assert select.select([deferred.fileno()], [], [], WAIT)[0]
        deferred.run_callbacks(deferred.fileno())


def test_what_a_deferred_call_defers_waits_for_the_next_turn(deferred: Deferred) -> None:
    heard: list[str] = []

    def first() -> None:
        heard.append("first")
        deferred.defer(heard.append, "second")

    deferred.defer(first)

    deferred.run_callbacks(deferred.fileno())
    assert heard == ["first"]
    deferred.run_callbacks(deferred.fileno())
    assert heard == ["first", "second"]
