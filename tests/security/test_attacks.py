"""What a worker must not be able to do is denied by the kernel, and what it needs works."""

from __future__ import annotations

import ast
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from corehost.plugins.isolation.process import WorkerProcess
from corehost.plugins.isolation.sandbox import Limits
from tests.plugins.workshop import Workshop

PLUGIN = Path(__file__).parent / "plugins" / "attacker.py"
REASONS = {"EPERM", "EACCES", "ENOSYS", "EMFILE", "EFBIG", "ENOMEM", "EXDEV"}  # the last is Landlock's: no moving out
LIMITS = {"MemoryError", "RuntimeError"}
READ_SEARCH = 1 << 2  # the capability to read any file; Landlock then says which
NEEDS_ROOT = {"start 250 threads"}


def named() -> list[str]:
    """Return the attacks' names, without importing the plugin here."""
    for node in ast.walk(ast.parse(PLUGIN.read_text())):
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "ATTACKS":
            assert isinstance(node.value, ast.Dict)
            return [str(key.value) for key in node.value.keys if isinstance(key, ast.Constant)]
    raise AssertionError("no attacks")


class Lair:
    """A host with an isolated attacker, and the things that it is after."""

    def __init__(self, folder: Path) -> None:
        self.workshop = Workshop(folder)
        shutil.copy(PLUGIN, self.workshop.folder / "attacker.py")
        self.workshop.write("neighbour", "@hookimpl\ndef corehost_setup(context):\n    pass\n")
        self.workshop.start(isolated=frozenset({"attacker", "neighbour"}))
        self.secret = self.workshop.data / "key"
        self.secret.write_text("the host's secret")
        for path in (folder, self.workshop.data, self.secret, self.workshop.folder, self.workshop.folder / PLUGIN.name):
            path.chmod(0o777)  # who owns a file must not be what keeps it
        unix, abstract = str(folder / "socket"), f"\0corehost-test-{os.getpid()}"
        self.listening = [socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX), socket.socket()]
        self.listening[0].bind(unix)
        self.listening[1].bind(abstract)
        self.listening[2].bind(("127.0.0.1", 0))
        for each in self.listening:
            each.listen()
        Path(unix).chmod(0o777)
        line = self.workshop.registry.get("neighbour").line
        assert line is not None
        self.target: dict[str, Any] = {
            "secret": str(self.secret),
            "outside": str(folder / "outside"),
            "host": os.getpid(),
            "port": self.listening[2].getsockname()[1],
            "unix": unix,
            "abstract": abstract,
            "neighbour": str(line.process.scratch),
        }

    @property
    def process(self) -> WorkerProcess:
        line = self.workshop.registry.get("attacker").line
        assert line is not None
        return line.process

    def attack(self, name: str) -> dict[str, Any]:
        result: dict[str, Any] = self.workshop.call("attacker", "attack", {"attack": name, **self.target})
        return result

    def close(self) -> None:
        for each in self.listening:
            each.close()
        self.workshop.stop()


@pytest.fixture(scope="module")
def lair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lair]:
    made = Lair(tmp_path_factory.mktemp("lair"))
    yield made
    made.close()


@pytest.mark.parametrize("name", named())
def test_a_worker_cannot(lair: Lair, name: str) -> None:
    if name in NEEDS_ROOT and os.getuid() != 0:
        pytest.skip("threads are limited only where workers have a user id of their own")

    result = lair.attack(name)

    # Refused, and not failed for another reason: permission, unknown to it, or over a limit.
    assert result.get("reason") in REASONS or result.get("denied") in LIMITS, result
    assert lair.secret.read_text() == "the host's secret"
    assert not Path(lair.target["outside"]).exists()
    assert lair.workshop.status("attacker") == "enabled"


def test_a_worker_can_do_what_it_needs_and_sees_nothing_of_the_host(lair: Lair) -> None:
    seen = lair.workshop.call("attacker", "look")

    assert set(seen["environ"]) <= {"LANG", "MALLOC_ARENA_MAX", "PYTHONDONTWRITEBYTECODE", "TMPDIR", "HOME", "LC_CTYPE"}
    assert sorted(seen["descriptors"]) == ["no file", *["null"] * 3, *["socket"] * 2], "two lead out, by one it waits"
    assert (seen["import"], seen["thread"], seen["storage"], seen["scratch"]) == ("xml", ["thread"], 5, "mine")
    assert seen["stat"], "documented: that a file exists can be learned"
    assert seen["pid"] != os.getpid()
    if os.getuid() == 0:
        assert len(set(seen["ids"])) == 1
        assert 60_706 <= seen["ids"][0] <= 61_183
        assert seen["groups"] == []


def kept(pid: int) -> dict[str, str]:
    """Return what the kernel notes of a process, by name."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_the_kernel_knows_of_every_layer(lair: Lair) -> None:
    status = kept(lair.process.pid)

    assert (status["NoNewPrivs"], status["Seccomp"], status["Umask"]) == ("1", "2", "0077")
    for held in ("CapPrm", "CapEff"):
        assert int(status[held], 16) in (0, READ_SEARCH), "root's powers, but for reading where no other user could"
    assert status["CapInh"] == "0000000000000000"
    assert Path(f"/proc/{lair.process.pid}/cwd").readlink() == lair.process.scratch
    assert Path(f"/proc/{lair.process.pid}/environ").stat().st_uid == 0, "its memory is closed to its own user"


def test_every_limit_is_the_hard_one(lair: Lair) -> None:
    lines = Path(f"/proc/{lair.process.pid}/limits").read_text().splitlines()[1:]
    found = {line[:26].strip(): tuple(line[26:].split()[:2]) for line in lines}
    limits = Limits()
    wanted = {
        "Max data size": limits.memory,
        "Max address space": limits.address_space,
        "Max file size": limits.file,
        "Max open files": limits.descriptors,
        "Max core file size": 0,
        "Max locked memory": 0,
        "Max msgqueue size": 0,
        "Max realtime priority": 0,
        "Max pending signals": 64,
    }
    if os.getuid() == 0:
        wanted["Max processes"] = limits.threads

    assert {name: found[name] for name in wanted} == {name: (str(most),) * 2 for name, most in wanted.items()}


def test_nothing_of_a_worker_stays_when_it_goes(lair: Lair) -> None:
    line = lair.workshop.registry.get("neighbour").line
    assert line is not None
    pid, scratch = line.process.pid, line.process.scratch

    lair.workshop.plugins.lifecycle.disable("neighbour")

    assert not scratch.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
