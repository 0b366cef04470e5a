"""The command itself."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from benchmarks.__main__ import SUITES
from benchmarks.workbench import ROOT, MissingError, Workbench


@pytest.mark.long
@pytest.mark.parametrize("suite", list(SUITES))
def test_a_quick_look_at_ourselves_works(load_clients: Workbench, suite: str) -> None:
    command = [sys.executable, "-m", "benchmarks", suite, "--quick", "--check", "--json", "--only", "corehost"]

    done = subprocess.run(
        command, env=load_clients.environment(), cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr + done.stdout
    found = json.loads(done.stdout)[suite]
    assert found["figures"]
    assert found["notes"] == []
    assert all(goal["is_met"] for goal in found["goals"])


def test_what_is_missing_is_named_with_the_line_that_brings_it(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("nothing")))

    with pytest.raises(MissingError, match="sudo apt-get install -y gcc libc6-dev"):
        Workbench(tmp_path_factory.mktemp("bench")).client("loadclient")
