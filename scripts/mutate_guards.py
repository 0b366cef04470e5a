#!/usr/bin/env python3
"""Take each guard out of a copy of the tree, run the test that must notice, and say which stayed green.

The guards are listed in ``scripts/guards/*.toml``: the file, its exact text, what takes its place, and the test; where
one guard stands behind another, both are taken out (``also``). A text that is not there exactly once is an error, so
that the list cannot rot unseen. Exit status 0 only if every test turned red: by a failure of the test itself, not by
code that can no longer be imported.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import shlex
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from environment import ROOT, prepare

GUARDS = Path(__file__).resolve().parent / "guards"
COPIED = ("corehost", "builtin_plugins", "tests", "scripts", "pyproject.toml", "setup.cfg", "README.md", "docs")
RED = 1
"""pytest's exit status for tests that failed; others mean that none ran."""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One text of one file, and what takes its place."""

    file: str
    text: str
    replacement: str

    def made_in(self, tree: Path) -> str:
        """Return the file's text after the edit; raises ``ValueError`` unless the old one is there exactly once."""
        source = (tree / self.file).read_text(encoding="utf-8")
        if (count := source.count(self.text)) != 1:
            raise ValueError(f"{self.text!r} is {count} times in {self.file}, must be once. Mend scripts/guards.")
        return source.replace(self.text, self.replacement)


@dataclass(frozen=True, kw_only=True)
class Guard:
    """One line of defence: with all of *edits* made, *test* must fail. *area* is the file that lists it."""

    area: str
    name: str
    edits: tuple[Edit, ...]
    test: str


def guards() -> Iterator[Guard]:
    """Yield all guards, by file."""
    for file in sorted(GUARDS.glob("*.toml")):
        for entry in tomllib.loads(file.read_text(encoding="utf-8"))["guard"]:
            name, test, also = entry.pop("name"), entry.pop("test"), entry.pop("also", [])
            yield Guard(area=file.stem, name=name, test=test, edits=tuple(Edit(**edit) for edit in (entry, *also)))


def try_without(guard: Guard, tree: Path, python: str, seconds: float) -> str | None:
    """Return what is wrong with the test of *guard*, ``None`` if it turned red as it should."""
    before = {tree / edit.file: (tree / edit.file).read_text(encoding="utf-8") for edit in guard.edits}
    command = [python, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *shlex.split(guard.test)]
    environ = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        for edit in guard.edits:
            (tree / edit.file).write_text(edit.made_in(tree), encoding="utf-8")
        run = subprocess.run(
            command, cwd=tree, env=environ, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return None  # without the guard the test hangs: it notices
    finally:
        for path, source in before.items():
            path.write_text(source, encoding="utf-8")
    if run.returncode == RED and " failed" in run.stdout.splitlines()[-1]:
        return None
    return "stayed green" if run.returncode == 0 else f"did not run: {run.stdout.strip()[-400:]}"


def main() -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(description="Take each guard out of a copy, and see its test fail.")
    parser.add_argument("--list", action="store_true", help="only list the guards, after a look at their texts")
    parser.add_argument("--only", metavar="PATTERN", default="*", help="only those whose names or areas fit: 'csrf*'")
    parser.add_argument("--seconds", type=float, default=300.0, help="the longest that one test may take")
    options = parser.parse_args()
    chosen = [guard for guard in guards() if fnmatch.filter((guard.name, guard.area), options.only)]
    if not chosen:
        parser.error(f"No guard's name or area fits {options.only!r}. --list shows them all.")
    lost = [text for guard in chosen if (text := _moved(guard)) is not None]
    if options.list or lost:
        print(*(lost or [f"{guard.name}  {guard.edits[0].file}  {guard.test}" for guard in chosen]), sep="\n")
        return 1 if lost else 0
    python = str(prepare(tests=True))
    with tempfile.TemporaryDirectory(prefix="corehost-guards-") as folder:
        tree = Path(folder)
        for name in COPIED:
            _copy(ROOT / name, tree / name)
        # Hosts under test write no compiled code; without any, each would compile all of it at its start.
        subprocess.run([python, "-m", "compileall", "-q", tree / "corehost"], check=False)
        failures = 0
        for guard in chosen:
            problem = try_without(guard, tree, python, options.seconds)
            failures += problem is not None
            print(f"{'red' if problem is None else 'NOT RED':8}{guard.name}  {problem or ''}".rstrip(), flush=True)
    print(f"{len(chosen) - failures} of {len(chosen)} guards are seen by their tests.")
    return 1 if failures else 0


def _moved(guard: Guard) -> str | None:
    try:
        for edit in guard.edits:
            edit.made_in(ROOT)
    except (OSError, ValueError) as error:
        return f"{guard.name}: {error}"
    return None


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        shutil.copy(source, target)


if __name__ == "__main__":
    raise SystemExit(main())
