"""Fixtures for the tests of the plugin layer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins.workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    """A host without plugins, not started."""
    made = Workshop(tmp_path)
    yield made
    made.stop()
