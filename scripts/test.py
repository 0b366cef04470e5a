#!/usr/bin/env python3
"""Run the tests: set up `.venv` with what they need, then every suite, with branch coverage.

Arguments after the options go to pytest, and then only what they choose runs, without coverage:
`python3 scripts/test.py tests/cli -k doctor`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import results
from environment import ROOT, prepare

PROGRAMS = (
    (("chromium", "chromium-browser", "google-chrome"), "the browser tests", "chromium"),
    (("cc",), "the tests of the benchmarks' load clients", "gcc libc6-dev"),
)
REQUIRE_ALL = "COREHOST_TEST_REQUIRE_ALL"
WORKERS = "3"
"""On two cores: a third of the time a test waits for processes of its own."""


def main() -> int:
    """Run the chosen suites and return pytest's exit code, or 1 if too little is covered."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="run the long suites, whole, and record the result")
    parser.add_argument("--suite", metavar="NAME", action="append", default=[], help="only this suite; repeatable")
    parser.add_argument("--seed", metavar="N", help="repeat what a run with this seed did by chance")
    parser.add_argument("--shuffle", metavar="SEED", help="run the tests in a random order made from SEED")
    options, chosen = parser.parse_known_args()
    python = str(prepare(tests=True))
    if not _complete():
        return 1
    # Hosts under test write no compiled code; where nobody else has, each would compile all of it when it starts.
    subprocess.run([python, "-m", "compileall", "-q", "corehost", "builtin_plugins"], cwd=ROOT, check=False)
    arguments = [*chosen, *(["--shuffle", options.shuffle] if options.shuffle else [])]
    arguments += ["--seed", options.seed] if options.seed else []
    arguments += [f"--suite={name}" for name in options.suite]
    if options.long:
        return _run_long(python, arguments, is_all=not chosen)
    if chosen or options.suite:
        return _stream([python, "-m", "pytest", *arguments])[0]
    return _run_all(python, arguments)


def _complete() -> bool:
    """Name every program that is missing, with the way to get it; only REQUIRE_ALL makes that a failure."""
    missing = [(use, package) for names, use, package in PROGRAMS if not any(map(shutil.which, names))]
    for use, package in missing:
        print(f"Missing for {use}: {package}. Install it: sudo apt-get install -y {package}", flush=True)
    return not (missing and os.environ.get(REQUIRE_ALL) == "1")


def _run_all(python: str, arguments: list[str]) -> int:
    coverage = [python, "-m", "coverage"]
    subprocess.run([*coverage, "erase"], cwd=ROOT, check=True)
    # coverage starts pytest, not the other way round: our own pytest plugin imports corehost before any other
    # plugin could begin to measure.
    code, summary = _stream([*coverage, "run", "-m", "pytest", "-n", WORKERS, "--dist", "loadfile", *arguments])
    subprocess.run([*coverage, "combine", "--quiet"], cwd=ROOT, check=False)
    covered = subprocess.run([*coverage, "report"], cwd=ROOT, check=False).returncode
    print(summary, flush=True)  # once more, so that the verdict stands at the end
    return code or (1 if covered else 0)


def _run_long(python: str, arguments: list[str], *, is_all: bool) -> int:
    """Run the long suites one test at a time, as storms want the machine; a choice of tests is not recorded."""
    with tempfile.TemporaryDirectory(prefix="corehost-long-") as folder:
        junit = Path(folder, "junit.xml")
        patient = ("-o", "faulthandler_timeout=0")  # a long test may take longer than one that hangs is given
        code, _ = _stream([python, "-m", "pytest", "--long", *patient, f"--junitxml={junit}", *arguments])
        if is_all and junit.exists():
            results.record(junit)
    return code


def _stream(command: list[str]) -> tuple[int, str]:
    """Run *command*, show its output as it comes, and return its exit code and last line."""
    summary = ""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            summary = line.strip() or summary
    return process.returncode, summary


if __name__ == "__main__":
    raise SystemExit(main())
