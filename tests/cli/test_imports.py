"""A command that asks a running host starts without what only a host needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"flask", "werkzeug", "gunicorn", "sqlalchemy", "structlog", "rich", "argon2", "blinker"}


@pytest.mark.parametrize("module", ["user", "role", "token", "key", "audit", "call", "message", "plugin"])
def test_a_command_does_not_wait_for_what_a_host_needs(module: str) -> None:
    code = f"import sys, corehost.cli.{module}; print(sorted({HEAVY} & sys.modules.keys()))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
