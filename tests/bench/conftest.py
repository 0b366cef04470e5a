"""What the tests of the benchmarks share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from benchmarks.workbench import Workbench


@pytest.fixture(scope="session")
def load_clients(program: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """A workbench that compiles the load clients; needs a C compiler."""
    program("cc", package="gcc libc6-dev")
    return Workbench(tmp_path_factory.mktemp("bench"))
