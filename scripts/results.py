"""Keep what each long suite did last in `docs/conformance.md`, between its marks."""

from __future__ import annotations

import os
import platform
import subprocess
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from environment import ROOT

PAGE = ROOT / "docs" / "conformance.md"
_END = "<!-- suite: end -->"


def record(junit: Path, page: Path = PAGE) -> None:
    """Write the results in *junit*, as pytest writes them, into *page*; suites that did not run stay as they are."""
    cases: dict[str, list[ET.Element]] = defaultdict(list)
    for case in ET.parse(junit).iter("testcase"):  # noqa: S314  # our own pytest wrote it a moment ago
        for suite in _properties(case, "suite"):
            cases[suite].append(case)
    text = page.read_text(encoding="utf-8")
    for suite, its_cases in cases.items():
        text = replaced(text, suite, _summary(its_cases))
    page.write_text(text, encoding="utf-8")


def replaced(text: str, suite: str, result: str) -> str:
    """Return *text* with *result* between the marks of *suite*; with a section at its end if it has no marks."""
    begin = f"<!-- suite: {suite} -->"
    before, found, rest = text.partition(begin)
    if not found:
        return f"{text.rstrip()}\n\n## {suite}\n\n{begin}\n{result}\n{_END}\n"
    _, end, after = rest.partition(_END)
    if not end:
        raise SystemExit(f"The line '{_END}' is missing after '{begin}'.")
    return f"{before}{begin}\n{result}\n{_END}{after}"


def _summary(cases: list[ET.Element]) -> str:
    counts = Counter(map(_outcome, cases))
    seconds = sum(float(case.get("time", 0)) for case in cases)
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    lines = [
        f"{datetime.now(tz=UTC):%Y-%m-%d}, commit {_commit()}, {machine}, {seconds:.0f} s",
        f"{len(cases)} cases: {', '.join(f'{count} {outcome}' for outcome, count in sorted(counts.items()))}.",
        *(line for case in cases for line in _properties(case, "told")),
        *(f"{_outcome(case).capitalize()}: {case.get('name')}" for case in cases if _outcome(case) != "passed"),
    ]
    return "\n".join(["```", *lines, "```"])


def _outcome(case: ET.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def _properties(case: ET.Element, name: str) -> list[str]:
    return [one.get("value", "") for one in case.iterfind("properties/property") if one.get("name") == name]


def _commit() -> str:
    commit = _git("rev-parse", "--short", "HEAD")
    return f"{commit} with changes" if _git("status", "--porcelain", "--untracked-files=no") else commit


def _git(*command: str) -> str:
    done = subprocess.run(("git", *command), cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607  # the one on PATH
    return done.stdout.strip()
