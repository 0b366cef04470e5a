#!/usr/bin/env python3
"""Measure corehost against its peers: `bus`, `fanout`, `http`, `swap` or `all`.

What it is measured against is installed into `.venv-bench` the first time. `--check` exits with 1 if a goal is missed.
"""

from __future__ import annotations

import os
import sys

from environment import ROOT, prepare


def main(arguments: list[str]) -> None:
    """Become the benchmark, in the project's own environment."""
    if not hasattr(os, "sched_setaffinity"):
        raise SystemExit("The benchmarks need Linux: they give each process a core of its own.")
    paths = os.pathsep.join((str(ROOT), str(ROOT / "scripts" / "bench")))
    command = [str(prepare()), "-m", "benchmarks", *arguments]
    os.execve(command[0], command, {**os.environ, "PYTHONPATH": paths})  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
