from __future__ import annotations

import threading

import pytest

from corehost.contract.errors import TooManyAttemptsError
from corehost.web.attempts import Attempts, Rate


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attempts(clock: Clock) -> Attempts:
    return Attempts(of_name=Rate(burst=3, seconds=30.0), from_address=Rate(burst=5, seconds=10.0), now=clock)


def used_up(attempts: Attempts, name: str, address: str) -> int:
    """Return how many tries are allowed."""
    for count in range(100):
        try:
            attempts.begin(name, address)
        except TooManyAttemptsError:
            return count
    return 100


def test_a_name_has_few_tries_and_then_one_in_a_while(attempts: Attempts, clock: Clock) -> None:
    assert [used_up(attempts, "ann", f"198.51.100.{i}") for i in range(1, 3)] == [3, 0]

    with pytest.raises(TooManyAttemptsError) as refusal:
        attempts.begin("ann", "192.0.2.1")
    assert refusal.value.retry_after == 30

    clock.now += 29.5
    with pytest.raises(TooManyAttemptsError):
        attempts.begin("ann", "192.0.2.1")
    clock.now += 0.5
    assert used_up(attempts, "ann", "192.0.2.1") == 1
    clock.now += 1_000
    assert used_up(attempts, "ann", "192.0.2.1") == 3


def test_the_spelling_of_a_name_gives_no_further_tries(attempts: Attempts) -> None:
    attempts.begin("ann", "192.0.2.1")
    attempts.begin(" ANN ", "192.0.2.2")
    assert used_up(attempts, "Ann", "192.0.2.3") == 1


def test_an_address_has_few_tries_whatever_the_names(attempts: Attempts) -> None:
    for number in range(5):
        attempts.begin(f"user{number}", "192.0.2.1")
    with pytest.raises(TooManyAttemptsError):
        attempts.begin("user9", "192.0.2.1")
    attempts.begin("user9", "192.0.2.2")


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("unix:", "unix:", True),
    ],
)
def test_addresses_of_one_network_count_together(attempts: Attempts, one: str, other: str, alike: bool) -> None:
    for number in range(5):
        attempts.begin(f"a{number}", one)
    assert (used_up(attempts, "b", other) == 0) is alike


def test_who_has_come_in_may_try_again(attempts: Attempts) -> None:
    for _ in range(20):
        attempts.begin("ann", "192.0.2.1")
        attempts.succeeded("ann", "192.0.2.1")


def test_signing_in_between_guesses_gives_the_address_no_further_tries(attempts: Attempts) -> None:
    def guess(number: int) -> bool:
        try:
            attempts.begin(f"victim{number}", "192.0.2.1")
            attempts.begin("mallory", "192.0.2.1")
        except TooManyAttemptsError:
            return False
        attempts.succeeded("mallory", "192.0.2.1")
        return True

    assert sum(guess(number) for number in range(20)) <= 5


def test_many_at_once_count_as_many(attempts: Attempts) -> None:
    allowed: list[int] = []
    barrier = threading.Barrier(8)

    def guess(number: int) -> None:
        barrier.wait(5.0)
        allowed.append(used_up(attempts, "ann", f"198.51.100.{number}"))

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10.0)
    assert sum(allowed) == 3


def test_a_flood_of_names_takes_little_memory(clock: Clock) -> None:
    attempts = Attempts(from_address=Rate(burst=10**9, seconds=0.001), now=clock)
    for number in range(25_000):
        attempts.begin(f"user{number}", "192.0.2.1")
    assert len(attempts._names._full_at) <= 20_000
