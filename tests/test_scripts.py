"""The contributor's commands set up what they need once, and name what they cannot set up."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCK = "requirements-test.txt"
BASE = str(getattr(sys, "_base_executable", sys.executable))
PIP = """
import json, os, sys
with open(os.environ["PIP_LOG"], "a") as log:
    print(json.dumps(sys.argv[1:]), file=log)
"""
PREPARE = "import sys; import environment; print(environment.prepare(tests=sys.argv[1] == 'tests'))"
Done = subprocess.CompletedProcess[str]


class Checkout:
    """A copy of what the scripts look at, and a pip that only notes what it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        shutil.copytree(
            ROOT / "scripts", self.folder / "scripts", ignore=shutil.ignore_patterns("bench", "__pycache__")
        )
        for name in ("pyproject.toml", "setup.cfg", LOCK):
            shutil.copy(ROOT / name, self.folder / name)
        self._log = folder / "pip.log"
        (folder / "fakes" / "pip").mkdir(parents=True)
        (folder / "fakes" / "pip" / "__init__.py").write_text("", encoding="utf-8")
        (folder / "fakes" / "pip" / "__main__.py").write_text(PIP, encoding="utf-8")
        self._environ = {**os.environ, "PYTHONPATH": str(folder / "fakes"), "PIP_LOG": str(self._log)}

    def run(self, *command: str, **environ: str) -> Done:
        return subprocess.run(
            command,
            cwd=self.folder / "scripts",
            env={**self._environ, **environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def prepare(self, what: str = "") -> Path:
        done = self.run(BASE, "-c", PREPARE, what)
        assert done.returncode == 0, done.stderr
        return Path(done.stdout.splitlines()[-1])

    def commands(self) -> list[list[str]]:
        """Return what pip has been asked since the last call."""
        if not self._log.exists():
            return []
        lines = self._log.read_text(encoding="utf-8").splitlines()
        self._log.unlink()
        return [json.loads(line) for line in lines]

    def installs(self) -> list[str]:
        """Return what pip has been asked to install since the last call."""
        return [command[-1] for command in self.commands()]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_environment_is_made_once_and_then_only_found(checkout: Checkout) -> None:
    python = checkout.prepare()

    assert python == checkout.folder / ".venv" / "bin" / "python"
    assert python.exists()
    assert checkout.installs() == [str(checkout.folder)]
    checkout.prepare()
    assert checkout.installs() == []


def test_what_tests_need_is_added_and_then_stays(checkout: Checkout) -> None:
    checkout.prepare()
    checkout.installs()

    checkout.prepare("tests")
    assert checkout.installs() == [str(checkout.folder / LOCK), str(checkout.folder)]
    checkout.prepare()
    checkout.prepare("tests")
    assert checkout.installs() == []


@pytest.mark.parametrize("name", ["pyproject.toml", LOCK])
def test_a_change_of_what_is_needed_installs_anew(checkout: Checkout, name: str) -> None:
    checkout.prepare("tests")
    checkout.installs()

    with (checkout.folder / name).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    checkout.prepare()

    assert checkout.installs() == [str(checkout.folder / LOCK), str(checkout.folder)]


def test_an_environment_of_another_python_is_made_anew(checkout: Checkout) -> None:
    checkout.prepare()
    stamp = checkout.folder / ".venv" / "corehost-stamp.json"
    noted = json.loads(stamp.read_text(encoding="utf-8"))
    stamp.write_text(json.dumps({**noted, "interpreter": "another"}), encoding="utf-8")
    (checkout.folder / ".venv" / "left-over").write_text("", encoding="utf-8")
    checkout.installs()

    checkout.prepare()

    assert checkout.installs() == [str(checkout.folder)]
    assert not (checkout.folder / ".venv" / "left-over").exists()


def test_an_environment_made_by_hand_is_never_wiped(checkout: Checkout) -> None:
    checkout.run(BASE, "-m", "venv", "--without-pip", str(checkout.folder / ".venv"))
    (checkout.folder / ".venv" / "mine").write_text("", encoding="utf-8")

    checkout.prepare()

    assert checkout.installs() == [str(checkout.folder)]
    assert (checkout.folder / ".venv" / "mine").exists()


def test_an_interrupted_install_is_done_again(checkout: Checkout) -> None:
    failed = checkout.run(BASE, "-c", PREPARE, "", PIP_LOG="/nowhere/pip.log")
    assert failed.returncode != 0
    assert "apt-get install -y python3-venv python3-pip" in failed.stderr

    checkout.prepare()

    assert checkout.installs() == [str(checkout.folder)]


def test_missing_programs_are_named_with_their_package_and_fail_only_where_all_is_asked_for(checkout: Checkout) -> None:
    checkout.prepare("tests")
    empty = checkout.folder / "empty"
    empty.mkdir()

    every = checkout.run(BASE, "test.py", PATH=str(empty), COREHOST_TEST_REQUIRE_ALL="1")
    some = checkout.run(BASE, "test.py", PATH=str(empty), COREHOST_TEST_REQUIRE_ALL="")

    assert "sudo apt-get install -y chromium" in every.stdout
    assert every.returncode == 1
    assert "No module named" not in every.stderr
    assert "sudo apt-get install -y chromium" in some.stdout
    assert "No module named" in some.stderr, "it went on to the tests, which are not installed here"


def test_what_tests_need_is_installed_by_hash_and_nothing_else(checkout: Checkout) -> None:
    checkout.prepare("tests")

    locked, itself = checkout.commands()
    assert {"--require-hashes", "--no-deps", "--only-binary"} <= set(locked)
    assert {"--no-deps", "--no-build-isolation"} <= set(itself), "building must not fetch what the lock does not know"


JUDGE = "import audit, json, sys; raise SystemExit(audit.judge(json.loads(sys.argv[1])))"
CLEAN: dict[str, object] = {"name": "good", "version": "1", "vulns": []}
FAULTY: dict[str, object] = {"name": "bad", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
UNKNOWN: dict[str, object] = {"name": "unheard", "skip_reason": "Not found."}


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([CLEAN], 0, "0 known faults in 1 packages."),
        ([CLEAN, FAULTY], 1, "bad 2: CVE-1, mended in 3."),
        ([CLEAN, UNKNOWN], 2, "Nothing is known of unheard"),
        ([UNKNOWN], 2, "0 known faults in 0 packages."),
        ([], 2, "0 known faults in 0 packages."),
    ],
)
def test_an_audit_that_could_not_ask_is_no_success(
    checkout: Checkout, packages: list[object], code: int, words: str
) -> None:
    shutil.copy(checkout.folder / "scripts" / "audit", checkout.folder / "scripts" / "audit.py")

    done = checkout.run(BASE, "-c", JUDGE, json.dumps(packages))

    assert done.returncode == code, done.stderr
    assert words in done.stdout


@pytest.mark.parametrize("script", ["test.py", "lint"])
def test_the_scripts_explain_themselves(checkout: Checkout, script: str) -> None:
    done = checkout.run(BASE, script, "--help")

    assert done.returncode == 0
    assert "usage:" in done.stdout


@pytest.mark.parametrize(("wanted", "code", "outcome"), [("", 0, "1 skipped"), ("1", 1, "1 failed")])
def test_a_suite_that_would_be_skipped_fails_where_all_is_asked_for(
    tmp_path: Path, wanted: str, code: int, outcome: str
) -> None:
    file = tmp_path / "test_browser.py"
    file.write_text("def test_it(program):\n    program('no-such-browser', package='browser')\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", str(file)]
    environ = {**os.environ, "COREHOST_TEST_REQUIRE_ALL": wanted, "PYTHONPATH": str(ROOT)}

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environ)

    assert done.returncode == code, done.stdout
    assert outcome in done.stdout
    assert "sudo apt-get install -y browser" in done.stdout or not wanted
