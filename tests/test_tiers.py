"""Long suites run at a twentieth or whole, repeat by their seed, and leave their result in the page."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[str, str]]

ROOT = Path(__file__).resolve().parent.parent
SUITE = """
import pytest

@pytest.mark.suite("Dice")
def test_dice(scale, dice, tell):
    tell(f"{scale(500)} thrown, the first {dice.random()}")

@pytest.mark.long
def test_whole():
    pass

def test_short():
    pass
"""
PAGE = "# Conformance\n\n## Dice\n\nWhy.\n\n<!-- suite: Dice -->\nold\n<!-- suite: end -->\n\n## After\n"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "test_suite.py").write_text(SUITE, encoding="utf-8")
    (tmp_path / "page.md").write_text(PAGE, encoding="utf-8")
    # Not measured for coverage: nothing of the host runs here, and its import alone would take twice the time.
    environ = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
    environ |= {"PYTHONPATH": f"{ROOT}:{ROOT / 'scripts'}", "COREHOST_TEST_REQUIRE_ALL": ""}

    def pytest_of(*flags: str) -> tuple[str, str]:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.conftest",
            "-p",
            "no:cacheprovider",
            "-v",
            "--rootdir=.",
        ]
        done = subprocess.run(
            [
                *command,
                "--junitxml=junit.xml",
                *flags,
                "test_suite.py",
            ],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        record = "import results, pathlib; results.record(pathlib.Path('junit.xml'), pathlib.Path('page.md'))"
        subprocess.run([sys.executable, "-c", record], cwd=tmp_path, env=environ, check=True)
        return done.stdout + done.stderr, (tmp_path / "page.md").read_text(encoding="utf-8")

    return pytest_of


def test_a_suite_runs_at_a_twentieth_and_whole_with_long(run: Run) -> None:
    short, _ = run()
    whole, page = run("--long")

    assert "test_short PASSED" in short
    assert "test_whole" not in short
    assert "test_whole PASSED" in whole
    assert "test_short" not in whole
    assert "500 thrown" in page
    assert "old" not in page
    assert page.index("Why.") < page.index("500 thrown") < page.index("## After") < page.index("## Other long tests")


def test_a_suite_runs_by_its_name(run: Run) -> None:
    chosen, page = run("--long", "--suite=Dice")
    unknown, _ = run("--suite=Cards")

    assert "test_dice PASSED" in chosen
    assert "test_whole" not in chosen
    assert "500 thrown" in page
    assert "There is no suite 'Cards'. These are: Dice." in unknown


def test_a_seed_repeats_what_chance_did_and_is_printed(run: Run) -> None:
    first, page = run("--seed", "7")
    _, again = run("--seed", "7")
    _, other = run("--seed", "8")

    assert "--seed 7" in first
    assert "25 thrown" in page
    assert page.split("thrown")[1].split("\n")[0] == again.split("thrown")[1].split("\n")[0]
    assert page.split("thrown")[1].split("\n")[0] != other.split("thrown")[1].split("\n")[0]
