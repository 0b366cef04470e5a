"""Make the checkout's virtual environment, once for each state of the project's files."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_VENV = ROOT / ".venv"
_STAMP = _VENV / "corehost-stamp.json"
_WINDOWS = sys.platform == "win32"
PYTHON = _VENV / ("Scripts/python.exe" if _WINDOWS else "bin/python")
LOCK = ROOT / "requirements-test.txt"
"""What the checkout and its tests need, in one version each, by the hashes of the files; made by scripts/lock."""
MINIMUM = (3, 11)


def prepare(*, tests: bool = False) -> Path:
    """Return the environment's Python, with the project (and what its tests need) installed.

    Costs a few milliseconds when nothing has changed since the last time.
    """
    if sys.version_info < MINIMUM:
        raise SystemExit(f"corehost needs Python 3.11 or newer, and this is {sys.version.split()[0]}.")
    interpreter, project, found = _interpreter(), _project(), _stamp()
    # An environment without our stamp was made by hand: install into it, never wipe it.
    if not PYTHON.exists() or found.get("interpreter", interpreter) != interpreter:
        _create()
        found = {}
    has_tests = bool(found.get("tests"))
    if found.get("project") != project or (tests and not has_tests):
        _install(tests=tests or has_tests)
        stamp = {"interpreter": interpreter, "project": project, "tests": tests or has_tests}
        _STAMP.write_text(json.dumps(stamp), encoding="utf-8")
    return PYTHON


def install(*what: str) -> None:
    """Install *what*, as pip's arguments, into the environment; ends the script with advice when that fails."""
    _run([_starter(), "-m", "pip", "--python", str(PYTHON), "--disable-pip-version-check", "install", "--quiet", *what])


def _interpreter() -> str:
    # The checkout's own path counts, too: an environment does not survive being moved.
    return f"{sys.version} {Path(sys.executable).resolve()} {ROOT}"


def _starter() -> str:
    # Run by .venv's own Python, which has no pip, go back to the one that it was made from.
    inside = Path(sys.prefix).resolve() == _VENV.resolve()
    return str(Path(sys.executable).resolve()) if inside else sys.executable


def _project() -> str:
    files = (ROOT / "pyproject.toml", ROOT / "setup.cfg", LOCK)
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files if file.exists())).hexdigest()


def _stamp() -> dict[str, object]:
    try:
        stamp = json.loads(_STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _create() -> None:
    print("Making .venv …", flush=True)
    # Without pip, for Debian ships venv without the wheel of pip that it would need; ours is used from outside.
    _run([_starter(), "-m", "venv", "--clear", "--without-pip", str(_VENV)])


def _install(*, tests: bool) -> None:
    print("Installing corehost and what it needs; this takes a minute the first time …", flush=True)
    if not tests:
        return install("--editable", str(ROOT))
    # What is checked and tested is the same everywhere, and no file but those that the lock knows is run: the checkout
    # itself is built with the locked setuptools, not with whatever is newest.
    install("--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", str(LOCK))
    return install("--no-deps", "--no-build-isolation", "--editable", str(ROOT))


def _run(command: list[str]) -> None:
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise SystemExit(
            f"'{' '.join(command)}' failed. It needs Python's venv and pip (22.3 or newer); on Debian and Ubuntu: "
            "apt-get install -y python3-venv python3-pip"
        )
