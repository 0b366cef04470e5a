"""A host to be stormed and stalled, and a crowd for it."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tests.serve.kit import Served
from tests.stream.crowd import Crowd


@pytest.fixture
def descriptors() -> Iterator[int]:
    """Return how many descriptors we, and each host that we start, may have: as many as can be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def crowd(host: Served) -> Iterator[Crowd]:
    with closing(Crowd(host)) as crowd:
        yield crowd


@pytest.fixture
def held() -> Iterator[ExitStack]:
    """Closes at the end what a test has opened."""
    with ExitStack() as stack:
        yield stack
