#!/usr/bin/env python3
"""Run the Autobahn test suite against the relay: 301 ways to send frames that must be understood, or refused.

The suite needs a Python 2.7 with pip (CPython or PyPy), found on PATH or named by `--python`, and a C compiler; it is
installed into `.venv-conformance` the first time. `--record` writes the result into `docs/conformance.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from environment import ROOT, prepare

SUITE = "autobahntestsuite==25.10.1"
CASES = ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*")
"""Without 12 and 13, which test permessage-deflate: the relay declines it."""
GOOD = frozenset({"OK", "NON-STRICT", "INFORMATIONAL"})
LIMITS = {"message_size": 20_000_000, "out_buffer": 64_000_000, "block": 64_000_000, "close_wait": 5.0}
"""The suite's longest message is 16 MB; who closes first is part of what it looks at."""

_NAMES = ("python2.7", "pypy2.7", "pypy", "python2")
_SUITE_FOLDER = ROOT / ".venv-conformance"
_PAGE = ROOT / "docs" / "conformance.md"
_RELAY = "corehost/web/relay"
_BEGIN, _END = "<!-- autobahn: scripts/conformance.py --record -->", "<!-- autobahn: end -->"
_WITHIN = "import site, sys; site.addsitedir(sys.argv.pop(1)); "  # knows zope's namespace, as PYTHONPATH does not
_RUN = f"{_WITHIN}from autobahntestsuite.wstest import run; run()"
_LIST = f"{_WITHIN}from autobahntestsuite.case import Cases; print('\\n'.join(case.__name__ for case in Cases))"

Result = dict[str, Any]


def main() -> int:
    """Run the cases that were asked for; return 0 if all passed."""
    options = _options()
    python = _python2(options.python)
    _install(python)
    cases = options.cases or list(CASES)
    if options.sample:
        seed = options.seed if options.seed is not None else random.randrange(10_000)  # noqa: S311  # no secret
        cases = random.Random(seed).sample(list(_known(python)), options.sample)  # noqa: S311  # no secret
        print(f"{options.sample} cases by --seed {seed}", flush=True)
    with _echo_server() as port:
        results = _run(python, port, cases)
    text = _summary(results)
    print(text)
    if options.record:
        _record(text)
    return 0 if results and not _bad(results) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help=f"which to run, such as 5.* or 6.4.2; by default {' '.join(CASES)}")
    parser.add_argument("--python", help="the Python 2.7 to run the suite with")
    parser.add_argument("--sample", type=int, help="run so many cases, chosen by chance")
    parser.add_argument("--seed", type=int, help="choose the same cases as another run did")
    parser.add_argument("--record", action="store_true", help=f"write the result into {_PAGE.relative_to(ROOT)}")
    return parser.parse_args()


def _python2(chosen: str | None) -> str:
    for name in (chosen,) if chosen else _NAMES:
        path = shutil.which(name)
        if path and _says(path, "import pip, sys; print(sys.version_info[:2])") == "(2, 7)":
            return path
    raise SystemExit(
        f"The Autobahn suite needs Python 2.7 with pip, and {chosen or 'PATH'} is none. Get one by 'pyenv install "
        "2.7.18' or from pypy.org, put it on PATH or name it by --python, and run its '-m ensurepip' if pip is missing."
    )


def _says(*command: str) -> str:
    python, code, *arguments = command
    done = subprocess.run([python, "-c", code, *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _install(python: str) -> None:
    stamp = _SUITE_FOLDER / "corehost-stamp"
    wanted = f"{SUITE} {python}"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    print(f"Installing {SUITE}; this takes a minute the first time …", flush=True)
    shutil.rmtree(_SUITE_FOLDER, ignore_errors=True)
    command = [python, "-m", "pip", "install", "--quiet", "--no-warn-script-location", "--target", str(_SUITE_FOLDER)]
    done = subprocess.run([*command, SUITE], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"'{' '.join(command)} {SUITE}' failed:\n{done.stderr.strip()[-1_000:]}")
    stamp.write_text(wanted, encoding="utf-8")


def _known(python: str) -> Iterator[str]:
    for name in _says(python, _LIST, str(_SUITE_FOLDER)).split():
        number = name.removeprefix("Case").replace("_", ".")
        if f"{number.partition('.')[0]}.*" in CASES:
            yield number


@contextmanager
def _echo_server() -> Iterator[int]:
    """Serve the relay with an echo behind it, as only tests can, and yield the port."""
    host = ROOT / "tests" / "web" / "relay" / "memory_host.py"
    command = [str(prepare(tests=True)), str(host), "--echo", "--limits", json.dumps(LIMITS)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline())
        finally:
            server.terminate()


def _run(python: str, port: int, cases: Sequence[str]) -> dict[str, Result]:
    with tempfile.TemporaryDirectory(prefix="corehost-conformance-") as folder:
        url = f"ws://127.0.0.1:{port}/api/plugins/messages"
        spec = {"outdir": folder, "servers": [{"agent": "corehost", "url": url}], "cases": list(cases)}
        file = Path(folder, "spec.json")
        file.write_text(json.dumps({**spec, "exclude-cases": [], "exclude-agent-cases": {}}), encoding="utf-8")
        command = [python, "-c", _RUN, str(_SUITE_FOLDER), "-m", "fuzzingclient", "-s", str(file)]
        with subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as suite:
            said = _follow(suite)
        index = Path(folder, "index.json")
        if suite.returncode or not index.exists():
            raise SystemExit(f"The suite failed:\n{said[-2_000:]}")
        results: dict[str, Result] = json.loads(index.read_text(encoding="utf-8"))["corehost"]
        return results


def _follow(suite: subprocess.Popen[str]) -> str:
    """Show which case runs, and return all that the suite said."""
    said = []
    assert suite.stdout is not None
    for line in suite.stdout:
        said.append(line)
        if line.startswith("Running test case") and sys.stderr.isatty():
            print(f"\r{line.split(' on ')[0][:60]:60}", end="", file=sys.stderr, flush=True)
    return "".join(said)


def _bad(results: dict[str, Result]) -> dict[str, Result]:
    return {number: result for number, result in results.items() if not {*_verdicts(result)} <= GOOD}


def _verdicts(result: Result) -> tuple[str, str]:
    return result["behavior"], result["behaviorClose"]


def _summary(results: dict[str, Result]) -> str:
    counts = Counter(result["behavior"] for result in results.values())
    unclean = sum(result["behaviorClose"] not in GOOD for result in results.values())
    failed = sum(result["behavior"] not in GOOD for result in results.values())
    ok, loose, informational = (counts[behavior] for behavior in ("OK", "NON-STRICT", "INFORMATIONAL"))
    total = f"{len(results)} cases: {ok} OK, {loose} non-strict, {informational} informational"
    lines = [f"{total}, {failed} failed, {unclean} closed uncleanly."]
    for behavior in ("NON-STRICT", "INFORMATIONAL"):
        numbers = sorted((n for n, r in results.items() if r["behavior"] == behavior), key=_order)
        lines += [f"{behavior.capitalize()}: {', '.join(numbers)}."] if numbers else []
    for number in sorted(_bad(results), key=_order):
        behavior, closing = _verdicts(results[number])
        lines.append(f"Bad: {number} ({behavior}, its close {closing}).")
    return "\n".join(lines)


def _order(number: str) -> list[int]:
    return [int(part) for part in number.split(".")]


def _record(text: str) -> None:
    page = _PAGE.read_text(encoding="utf-8")
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise SystemExit(f"{_PAGE} lacks the lines '{_BEGIN}' and '{_END}', between which the result belongs.")
    when = f"{datetime.now(tz=UTC):%Y-%m-%d}, the relay as of commit {_commit()}, {SUITE}"
    _PAGE.write_text(f"{before}{_BEGIN}\n```\n{when}\n{text}\n```\n{_END}{after}", encoding="utf-8")


def _commit() -> str:
    """Return the commit that last changed the relay; anything newer has nothing to do with it."""
    commit = _git("log", "-1", "--format=%h", "--", _RELAY)
    return f"{commit} with changes" if _git("status", "--porcelain", "--", _RELAY) else commit


def _git(*command: str) -> str:
    done = subprocess.run(("git", *command), cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607  # the one on PATH
    return done.stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
