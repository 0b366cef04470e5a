"""Hosts with plugins that run isolated, or do not."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.plugins.workshop import Workshop

PLUGINS = Path(__file__).parent / "plugins"
Hosting = Callable[..., Workshop]


@pytest.fixture(scope="module")
def hosting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosting]:
    """Start hosts: ``hosting("traveller", isolated=("traveller",))``."""
    started: list[Workshop] = []

    def start(*names: str, isolated: tuple[str, ...] = ()) -> Workshop:
        workshop = Workshop(tmp_path_factory.mktemp("host"))
        for name in names:
            shutil.copy(PLUGINS / f"{name}.py", workshop.folder)
        started.append(workshop)
        workshop.start(isolated=frozenset(isolated))
        return workshop

    yield start
    for workshop in started:
        workshop.stop()
