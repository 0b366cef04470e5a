"""`corehost key` and `corehost plugin sign`, against a host that runs, and the data folder of one that does not."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from corehost.cli.exits import ExitCode
from corehost.plugins.signing.keys import new_private
from corehost.plugins.signing.proofs import signature_of
from corehost.state.database import HostDatabase
from tests.cli.commands import Run, answer, command, corehost
from tests.serve.kit import Served

MANIFEST = {"id": "far-clock", "name": "Far clock", "version": "1.2.0", "description": ""}


@pytest.fixture(params=["running", "idle"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    folder = tmp_path / "data"
    HostDatabase(folder).close()
    served = Served(folder) if request.param == "running" else None
    yield lambda *arguments, **options: command(*arguments, COREHOST_DATA_DIR=str(folder), **options)
    if served is not None:
        served.kill()


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    folder = tmp_path / "far_clock"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    (folder / "__init__.py").touch()
    return folder


def test_a_key_is_made_trusted_listed_and_forgotten(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "ann"
    public = new_private(file).public
    (tmp_path / "ann.pub").write_text(f"{public}\n")

    trusted = answer(run("key", "trust", f"{file}.pub", "--name", "Ann", "--json"))
    assert (trusted["id"], trusted["by"]) == (public.id, "user:admin")
    assert str(public) in run("key", "list").stdout
    assert run("key", "forget", "Ann").returncode == 0
    missing = run("key", "forget", "Ann")
    assert (missing.returncode, "corehost key list" in missing.stderr) == (ExitCode.NOT_FOUND, True)


def test_a_folder_and_an_archive_are_signed(plugin: Path, tmp_path: Path) -> None:
    key, archive = tmp_path / "ann", tmp_path / "far-clock-1.2.0.zip"
    made = answer(corehost("key", "new", str(key), "--json"))
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.with_name("ann.pub").read_text() == f"{made['key']}\n"

    said = answer(command("plugin", "sign", str(plugin), "--key", str(key), "--zip", str(archive), "--json"))

    data = archive.read_bytes()
    assert said == {
        "plugin": "far-clock", "version": "1.2.0", "key": made["id"], "files": 2,
        "sha256": hashlib.sha256(data).hexdigest(),
    }  # fmt: skip
    signature = signature_of(data).signature
    assert signature is not None
    assert str(signature.key) == made["key"]
    anew = command("plugin", "sign", str(archive), "--key", str(key))
    assert f"{archive}#sha256={said['sha256']}" in anew.stdout
    assert archive.read_bytes() == data  # as its signature was


def test_what_cannot_be_signed_is_refused_with_the_way_out(plugin: Path, tmp_path: Path) -> None:
    key = tmp_path / "ann"
    lost = command("plugin", "sign", str(plugin), "--key", str(key))
    assert (lost.returncode, "corehost key new" in lost.stderr) == (ExitCode.NOT_FOUND, True)
    new_private(key)
    for arguments, words in (([str(key)], "cannot be read"), ([str(key), "--zip", "x.zip"], "Leave --zip out")):
        refused = command("plugin", "sign", *arguments, "--key", str(key))
        assert refused.returncode != 0
        assert words in refused.stderr, refused.stderr
        assert "Traceback" not in refused.stderr
