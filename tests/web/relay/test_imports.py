"""The relay could move to a process of its own: it knows nothing of the host but values."""

from __future__ import annotations

import ast
from pathlib import Path

import corehost.web.relay

ALLOWED = ("corehost.contract", "corehost.web.problems", "corehost.web.relay")


def test_the_relay_imports_nothing_of_the_host_but_the_contract_and_the_problems() -> None:
    imported = {
        node.module
        for path in Path(corehost.web.relay.__path__[0]).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("corehost")
    }

    assert [name for name in sorted(imported) if not name.startswith(ALLOWED)] == []
