#!/usr/bin/env python3
"""Run the host from a checkout: set up `.venv` if need be, then `corehost serve` with the same arguments."""

from __future__ import annotations

import os
import subprocess
import sys

from environment import prepare


def main(arguments: list[str]) -> None:
    """Start the host; on POSIX this process becomes it."""
    command = [str(prepare()), "-m", "corehost", "serve", *arguments]
    if sys.platform == "win32":  # exec there returns to the shell before the program has ended
        raise SystemExit(subprocess.run(command, check=False).returncode)
    os.execv(command[0], command)  # noqa: S606  # no shell is wanted: signals shall reach the host itself


if __name__ == "__main__":
    main(sys.argv[1:])
