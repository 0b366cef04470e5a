"""The command `corehost`, in a process of its own or in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from corehost.cli import main

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("COREHOST_")}


def corehost(*arguments: str | Path, cwd: Path | None = None, input: str | None = None, **environ: str) -> Done:
    """Run the command as a shell does: where it is the process that counts, its code, its streams or its imports."""
    command = [sys.executable, "-m", "corehost", *map(str, arguments)]
    environment = {**ENVIRONMENT, **environ}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=cwd, input=input, env=environment, timeout=60
    )


def command(*arguments: str | Path, input: str | None = None, **environ: str) -> Done:
    """Run the command in this process, which saves the second that a process takes to start.

    An error that the command lets through is raised here.
    """
    unwanted: dict[str, str | None] = {key: None for key in os.environ if key.startswith("COREHOST_")}
    runner = CliRunner(env={**unwanted, **environ}, catch_exceptions=False)
    result = runner.invoke(main, [*map(str, arguments)], input=input, prog_name="corehost")
    return Done(arguments, result.exit_code, result.stdout, result.stderr)


def answer(done: Done) -> Any:
    """Return what a command that succeeded printed as JSON."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
