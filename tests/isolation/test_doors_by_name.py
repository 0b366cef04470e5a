"""A worker reaches what the doors offer by name, and nothing else that hangs on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from corehost.contract.errors import MethodNotFoundError
from corehost.plugins.isolation.line import Line
from corehost.plugins.isolation.served import ServedContext
from tests.plugins.workshop import Workshop

CODE = """
held = []

@hookimpl
def corehost_setup(context):
    held.append(context)
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedContext]:
    workshop = Workshop(tmp_path)
    workshop.write("clock", CODE, permissions=("storage:read", "storage:write"))
    workshop.start()
    module: Any = workshop.registry.get("clock").module
    line = cast("Line", None)  # nothing here calls back
    made = ServedContext("clock", line, http=lambda options: options, failed=lambda _error: None)
    made.admit(module.held[0])
    yield made
    workshop.stop()


@pytest.mark.parametrize(
    "name",
    [
        "storage.__class__", "storage._readable", "storage.__init__", "storage._door", "messages._open", "", ".",
        "state.get_store", "plugins.__dict__", "users._preferences", "events.off", "hooks._asker", "core.plugins",
    ],
)  # fmt: skip  # names read better in rows
def test_nothing_else_is_reached_by_its_name(served: ServedContext, name: str) -> None:
    with pytest.raises(MethodNotFoundError):
        served.serve(name, [], {})


def test_what_is_offered_is_reached(served: ServedContext) -> None:
    served.serve("storage.set", ["a", 1], {})

    assert served.serve("storage.get", ["a"], {}) == 1
