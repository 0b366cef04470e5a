"""A plugin's values on disk: safe from crashes, floods, other plugins and odd names."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corehost.contract.errors import ConflictError, InvalidError, QuotaError
from corehost.state.storage import Storage, StorageFolder

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


class EndError(Exception):
    """What a transaction is ended with."""


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    made = StorageFolder(tmp_path).open("clock")
    yield made
    made.close()


def test_the_file_is_opened_at_the_first_use(storage: Storage, tmp_path: Path) -> None:
    assert list(tmp_path.iterdir()) == []
    assert storage.get("a") is None
    assert (tmp_path / "clock.db").exists()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(key=KEYS, value=JSON)
def test_what_was_set_comes_back(storage: Storage, key: str, value: Any) -> None:
    storage.set(key, value)

    assert storage.get(key) == value
    assert key in storage.keys(key[:1])


def test_keys_are_found_by_prefix_and_forgotten(storage: Storage) -> None:
    for key in ("a", "ab", "a%", "b", "A"):
        storage.set(key, key)

    assert storage.keys() == ["A", "a", "a%", "ab", "b"]
    assert storage.keys("a") == ["a", "a%", "ab"]
    assert storage.keys("a%") == ["a%"]
    storage.delete("a")
    storage.delete("nothing")
    assert storage.get("a", "default") == "default"
    storage.clear()
    assert storage.keys() == []


@pytest.mark.parametrize("value", [object(), {1: 2}, float("nan"), {"a": {1, 2}}, b"bytes"])
def test_what_is_no_json_is_refused(storage: Storage, value: Any) -> None:
    with pytest.raises(InvalidError):
        storage.set("a", value)


@pytest.mark.parametrize("key", ["", "x" * 513, "a\0b", "\ud800", 5, None])
def test_what_is_no_key_is_refused(storage: Storage, key: Any) -> None:
    with pytest.raises(InvalidError):
        storage.set(key, 1)
    with pytest.raises(InvalidError):
        storage.get(key)


def test_a_transaction_keeps_all_or_nothing(storage: Storage) -> None:
    storage.set("a", 1)

    def work() -> None:
        with storage.transaction() as inside:
            inside.set("a", 2)
            storage.set("b", 3)  # the same thread: part of the transaction
            assert storage.get("a") == 2
            raise EndError

    with pytest.raises(EndError):
        work()
    assert (storage.get("a"), storage.get("b")) == (1, None)


def test_an_inner_transaction_can_fail_alone(storage: Storage) -> None:
    def work() -> None:
        with storage.transaction() as inner:
            inner.set("b", 1)
            raise EndError

    with storage.transaction() as outer:
        outer.set("a", 1)
        with pytest.raises(EndError):
            work()

    assert storage.keys() == ["a"]


def test_others_neither_see_nor_wait_for_a_transaction_that_is_open(storage: Storage) -> None:
    storage.set("a", 1)
    seen: list[Any] = []
    with storage.transaction() as inside:
        inside.set("a", 2)
        reader = threading.Thread(target=lambda: seen.append(storage.get("a")))
        reader.start()
        reader.join(10)

    assert seen == [1]


def test_threads_that_count_together_lose_nothing(storage: Storage) -> None:
    def count() -> None:
        for _ in range(20):
            with storage.transaction() as inside:
                inside.set("n", inside.get("n", 0) + 1)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert storage.get("n") == 160


def test_a_full_storage_refuses_more_and_keeps_what_it_has(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "small.db", quota=200_000)

    def fill() -> None:
        for number in range(1000):
            storage.set(f"key {number}", "x" * 5_000)

    with pytest.raises(QuotaError, match=r"at most 0\.2 MB"):
        fill()
    kept = storage.keys()
    assert 20 < len(kept) < 40
    assert storage.get(kept[0]) == "x" * 5_000
    storage.clear()
    storage.set("again", "x" * 100_000)
    storage.close()
    assert (tmp_path / "small.db").stat().st_size <= 200_000


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".", "UPPER", "a\0", "core"])
def test_only_a_plugin_id_names_a_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidError):
        StorageFolder(tmp_path).open(name)


def test_a_closed_storage_says_so(storage: Storage) -> None:
    storage.set("a", 1)
    storage.close()
    with pytest.raises(ConflictError, match="closed"):
        storage.get("a")


WRITER = """
import sys
from pathlib import Path
from corehost.state.storage import Storage
storage = Storage(Path(sys.argv[1]))
for number in range(10**6):
    storage.set("n", number)
    print(number, flush=True)
"""


def test_an_acknowledged_write_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "killed.db"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = max(int(writer.stdout.readline()) for _ in range(20))
        writer.send_signal(signal.SIGKILL)
        for line in writer.stdout:  # what it had said before it died
            acknowledged = int(line)

    storage = Storage(path)
    assert storage.get("n") >= acknowledged
    storage.set("n", "still usable")
    storage.close()
