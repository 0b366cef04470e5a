"""The data folder keeps a second host out and tells the other commands where the first one listens."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from corehost.cli.datafolder import HOST_FILE, DataFolder, RunningHost
from corehost.contract.errors import ConflictError, SettingsError

HOST = RunningHost(url="http://127.0.0.1:8620", token="t" * 20, pid=1)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    return folder


def test_the_folder_is_for_its_owner_only_and_has_a_place_for_plugins(folder: DataFolder) -> None:
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert (folder.path / "plugins").is_dir()


def test_a_folder_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(SettingsError, match="--data-dir, COREHOST_DATA_DIR"):
        DataFolder(tmp_path / "file" / "data").prepare()


def test_a_second_host_is_refused_until_the_first_lets_go(folder: DataFolder) -> None:
    assert not folder.is_locked()

    unlock = folder.lock()

    with pytest.raises(ConflictError, match=f"process {os.getpid()}.*--data-dir"):
        folder.lock()
    assert folder.is_locked()

    unlock()
    assert not folder.is_locked()
    unlock()
    folder.lock()()


def test_a_process_that_dies_without_a_word_leaves_no_lock(folder: DataFolder) -> None:
    code = (
        "import os, pathlib, sys; from corehost.cli.datafolder import DataFolder; "
        "DataFolder(pathlib.Path(sys.argv[1])).lock(); print('locked', flush=True); sys.stdin.read(); os._exit(9)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(ConflictError):
            folder.lock()
        other.kill()
        other.wait()

    folder.lock()()


def test_the_note_is_readable_by_its_owner_only_and_is_taken_away(folder: DataFolder) -> None:
    withdraw = folder.announce(HOST)

    assert folder.running() == HOST
    assert stat.S_IMODE((folder.path / HOST_FILE).stat().st_mode) == 0o600
    assert [file.name for file in folder.path.glob("host.json*")] == [HOST_FILE]
    withdraw()
    assert folder.running() is None


FORKING = """
import os, pathlib, sys
from corehost.cli.datafolder import DataFolder, RunningHost

folder = DataFolder(pathlib.Path(sys.argv[1]))
unlock, withdraw = folder.lock(), folder.announce(RunningHost(url="http://127.0.0.1:8620", token="t" * 20, pid=1))
child = os.fork()
if child == 0:
    withdraw()
    unlock()
    os._exit(0)
os.waitpid(child, 0)
print("forked", flush=True)
sys.stdin.readline()
withdraw()
unlock()
"""


def test_a_forked_child_cannot_take_the_note_or_the_lock_away(folder: DataFolder) -> None:
    command = [sys.executable, "-c", FORKING, str(folder.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "forked\n"
        assert folder.running() == HOST
        with pytest.raises(ConflictError):
            folder.lock()
        other.stdin.write("\n")

    assert folder.running() is None
    folder.lock()()


@pytest.mark.parametrize("text", ["", "[]", '{"url": 1}', "\x00", '{"url": "x", "token": "y", "pid": 1, "more": 2}'])
def test_a_spoilt_note_counts_as_none(folder: DataFolder, text: str) -> None:
    (folder.path / HOST_FILE).write_text(text, encoding="utf-8")

    assert folder.running() is None


def test_the_token_is_not_shown_by_accident() -> None:
    assert HOST.token not in repr(HOST)
