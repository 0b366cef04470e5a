"""Hosts that end with their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.serve.kit import Served, place

Serving = Callable[..., Served]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    """Start hosts: ``serving("clock", flags=("--threads", "4"))`` has the plugin ``clock`` from the start."""
    with ExitStack() as closers:

        def start(
            *plugins: str,
            folder: Path | None = None,
            flags: tuple[str, ...] = (),
            is_measured: bool = False,
            **environ: str,
        ) -> Served:
            data = folder or tmp_path / "data"
            for name in plugins:
                place(data, name)
            served = Served(data, *flags, is_measured=is_measured, **environ)
            closers.callback(served.kill)
            return served.ready()

        yield start
