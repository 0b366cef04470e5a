"""A start that did not finish is followed by one with the built-in plugins only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from corehost.contract.errors import NotAllowedError
from tests.plugins.workshop import Workshop

PROGRAM = """
import sys
from pathlib import Path
from tests.plugins.workshop import Workshop
folder = Path(sys.argv[1])
folder.mkdir()
workshop = Workshop(folder)
workshop.write("clock")
workshop.write("deadly", "import os; os._exit(7)")
workshop.start()
"""


def test_after_a_plugin_ended_the_process_the_next_start_is_safe_and_the_one_after_that_normal(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", PROGRAM, tmp_path / "host"], cwd=root, check=False, timeout=60)
    assert ended.returncode == 7
    (tmp_path / "again").mkdir()
    workshop = Workshop(tmp_path / "again")
    workshop.write("clock")
    (tmp_path / "host" / "data").rename(tmp_path / "moved")
    workshop.database.close()
    workshop.data = tmp_path / "moved"

    workshop.build()
    plugins = workshop.start()

    assert workshop.status("clock") == "disabled"
    with pytest.raises(NotAllowedError, match="safe mode"):
        plugins.lifecycle.enable("clock")
    workshop.restart()
    assert workshop.status("clock") == "enabled"
    workshop.stop()
