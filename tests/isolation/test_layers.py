"""Each layer of the sandbox holds by itself what it promises, also where another would have stepped in before."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from corehost.plugins.isolation import landlock

VERSION = landlock.version()
BEGIN = """
import errno, json, os, signal, socket, sys
from pathlib import Path
from corehost.plugins.isolation import landlock, sandbox, seccomp
from corehost.plugins.isolation.kernel import PR_SET_NO_NEW_PRIVS, prctl

given = json.loads(sys.argv[1])
scratch, outside = Path(given["scratch"]), Path(given["outside"])

def tried(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

def connect(family, address):
    with socket.socket(family) as made:
        made.connect(address)
"""
LANDLOCK_ALONE = """
assert prctl(PR_SET_NO_NEW_PRIVS, 1) == 0
landlock.restrict(landlock.made_rules(readable=[outside / "readable"], writable=[scratch]))
(scratch / "mine").write_text("mine")
print(json.dumps({
    "read": tried(lambda: (outside / "secret").read_text()),
    "read what may be read": tried(lambda: (outside / "readable" / "text").read_text()),
    "write what may be read": tried(lambda: (outside / "readable" / "text").write_text("x")),
    "make a folder": tried(lambda: (outside / "folder").mkdir()),
    "remove": tried(lambda: (outside / "secret").unlink()),
    "move out": tried(lambda: (scratch / "mine").rename(outside / "mine")),
    "make a link": tried(lambda: (scratch / "link").symlink_to(outside)),
    "cut off": tried(lambda: os.truncate(outside / "secret", 0)),
    "listen by TCP": tried(lambda: socket.socket().bind(("127.0.0.1", 0))),
    "connect by TCP": tried(lambda: connect(socket.AF_INET, ("127.0.0.1", given["port"]))),
    "connect to an abstract socket": tried(lambda: connect(socket.AF_UNIX, given["abstract"])),
    "signal the host": tried(lambda: os.kill(given["host"], 0)),
}))
"""
ORPHAN = """
sandbox.enter(sandbox.enclose(sandbox.Confinement(folder=outside, scratch=scratch)), given["parent"])
"""
INSIDE = """
sandbox.prepare()
sandbox.enter(sandbox.enclose(sandbox.Confinement(folder=outside, scratch=scratch)), os.getppid())
print("inside", flush=True)
sys.stdin.read()
"""


def run(code: str, **given: Any) -> dict[str, str]:
    """Return what a process of its own prints that runs *code*."""
    command = [sys.executable, "-c", BEGIN + code, json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.fixture
def places(tmp_path: Path) -> dict[str, str]:
    """Return a folder that may be written and one in which only ``readable`` may be read."""
    scratch, outside = tmp_path / "scratch", tmp_path / "outside"
    for folder in (scratch, outside, outside / "readable"):
        folder.mkdir()
    (outside / "secret").write_text("secret")
    (outside / "readable" / "text").write_text("text")
    return {"scratch": str(scratch), "outside": str(outside)}


@pytest.mark.skipif(not VERSION, reason="this kernel has no Landlock")
def test_landlock_alone_holds_files_network_and_signals(places: dict[str, str]) -> None:
    abstract = f"\0corehost-layers-{os.getpid()}"
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.bind(("127.0.0.1", 0))
        unix.bind(abstract)
        for each in (tcp, unix):
            each.listen()
        found = run(LANDLOCK_ALONE, **places, port=tcp.getsockname()[1], abstract=abstract, host=os.getpid())

    assert found.pop("read what may be read") == "done"
    since = {"move out": 2, "cut off": 3, "listen by TCP": 4, "connect by TCP": 4}
    since |= {"connect to an abstract socket": 6, "signal the host": 6}
    passed = {name for name, word in found.items() if word == "done"}
    assert passed == {name for name in found if since.get(name, 1) > VERSION}
    assert Path(places["outside"], "secret").read_text() == "secret"


def test_who_is_not_the_parents_child_any_more_does_not_begin(places: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match="the parent has gone"):
        run(ORPHAN, **places, parent=os.getppid())


@pytest.mark.skipif(not VERSION, reason="this kernel has no Landlock")
def test_who_is_inside_has_laid_down_every_power(places: dict[str, str]) -> None:
    command = [sys.executable, "-c", BEGIN + INSIDE, json.dumps(places)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "inside\n"
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.kill()

    kept = dict(line.split(":\t") for line in status.splitlines())
    assert (kept["NoNewPrivs"], kept["Seccomp"]) == ("1", "2")
    assert {int(kept[name], 16) for name in ("CapPrm", "CapEff", "CapInh")} == {0}
