"""Who ended the process is found in what it wrote when it died, and forgiven when its code is another."""

from __future__ import annotations

from pathlib import Path

import pytest

from corehost.plugins.culprits import Culprits
from corehost.plugins.faults import Faults
from corehost.plugins.lastwords import FILE, LastWords, read_last_words
from corehost.plugins.registry import Plugin
from corehost.plugins.sources import Origin

CRASH = """Fatal Python error: Segmentation fault

Current thread 0x00007f3a (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "{folder}/deadly/deep.py", line 7 in boom
  File "{folder}/innocent.py", line 3 in call_it
  File "/srv/corehost/messaging/lane.py", line 160 in burst

Extension modules: greenlet._greenlet (total: 1)
"""


@pytest.fixture
def origins(tmp_path: Path) -> list[Origin]:
    (tmp_path / "deadly").mkdir()
    (tmp_path / "deadly" / "deep.py").write_text("")
    (tmp_path / "innocent.py").write_text("")
    return [
        Origin(kind="local", name="innocent", path=tmp_path / "innocent.py"),
        Origin(kind="local", name="deadly", path=tmp_path / "deadly"),
    ]


def died(tmp_path: Path) -> LastWords:
    (tmp_path / FILE).write_text(CRASH.format(folder=tmp_path))
    words = read_last_words(tmp_path)
    assert words is not None
    return words


def test_the_innermost_plugin_of_the_stack_is_to_blame(tmp_path: Path, origins: list[Origin]) -> None:
    culprit = Culprits(tmp_path, Faults()).find(died(tmp_path), origins)

    assert culprit is not None
    assert (culprit.plugin_id, culprit.cause) == ("deadly", "Segmentation fault")
    assert culprit.stack[0] == f"{tmp_path}/deadly/deep.py:7 in boom"
    assert "Segmentation fault, in " in culprit.reason


def test_it_is_known_to_the_next_process_until_its_code_changes(tmp_path: Path, origins: list[Origin]) -> None:
    Culprits(tmp_path, Faults()).find(died(tmp_path), origins)
    deadly = Plugin("deadly", origins[1])

    assert Culprits(tmp_path, Faults()).accuse(deadly) is not None
    assert Culprits(tmp_path, Faults()).accuse(Plugin("innocent", origins[0])) is None
    (tmp_path / "deadly" / "deep.py").write_text("mended = True")
    assert Culprits(tmp_path, Faults()).accuse(deadly) is None


@pytest.mark.parametrize("text", ["", "\n"])
def test_a_process_that_was_killed_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)

    assert read_last_words(tmp_path) is None
    assert read_last_words(tmp_path / "new") is None


def test_a_crash_in_no_plugins_code_blames_nobody(tmp_path: Path, origins: list[Origin]) -> None:
    (tmp_path / FILE).write_text("Fatal Python error: Aborted\n\nCurrent thread 0x1 (most recent call first):\n")
    words = read_last_words(tmp_path)

    assert words is not None
    assert Culprits(tmp_path, Faults()).find(words, origins) is None


def test_a_list_that_cannot_be_read_does_not_keep_the_host_from_starting(tmp_path: Path, origins: list[Origin]) -> None:
    (tmp_path / "culprits.json").write_text("{")

    assert Culprits(tmp_path, Faults()).accuse(Plugin("deadly", origins[1])) is None
