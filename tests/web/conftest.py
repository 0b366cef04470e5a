"""What the tests of the web edge share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.web.bench import Bench


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Return a function that makes a host."""
    with ExitStack() as closers:
        yield lambda **options: Bench(tmp_path, closers, **options)


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """Return a host."""
    return make_bench()


@pytest.fixture
def closers() -> Iterator[ExitStack]:
    """Return a stack that is closed after the test."""
    with ExitStack() as stack:
        yield stack
