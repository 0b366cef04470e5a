"""The list of guards fits the code as it is; ``scripts/mutate_guards.py`` itself sees each of them fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "scripts" / "mutate_guards.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False)


def test_the_text_of_every_listed_guard_is_where_the_list_says() -> None:
    listed = run("--list")

    assert listed.returncode == 0, listed.stdout
    names = [line.split()[0] for line in listed.stdout.splitlines()]
    assert len(names) >= 200
    assert len(names) == len(set(names))


def test_a_guard_that_is_taken_out_turns_its_test_red() -> None:
    tried = run("--only", "proxy-scheme")

    assert tried.returncode == 0, tried.stdout
    assert "1 of 1 guards" in tried.stdout


def test_a_name_that_fits_no_guard_is_refused() -> None:
    tried = run("--only", "no-such-guard")

    assert tried.returncode == 2
    assert "'no-such-guard'" in tried.stderr
    assert "--list" in tried.stderr
