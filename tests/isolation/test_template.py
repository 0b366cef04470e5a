"""The template of workers holds what workers need, and nothing of what only the host does."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from corehost.plugins.isolation.frames import Frames
from corehost.plugins.isolation.order import Order
from corehost.plugins.isolation.sandbox import Confinement
from corehost.plugins.isolation.spawner import Spawner
from corehost.plugins.sources import Origin

HOSTS_OWN = {"sqlalchemy", "cryptography", "argon2", "gunicorn", "structlog", "flask_sock"}


def test_nothing_of_the_hosts_own_work_is_imported_for_workers() -> None:
    code = "import corehost.worker, sys; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert "flask" in imported
    assert not HOSTS_OWN & {name.partition(".")[0] for name in imported}


def test_a_rehearsal_leaves_nothing_of_the_plugin_in_the_template() -> None:
    code = """
import os, sys, threading
from corehost import worker
before = set(os.listdir("/proc/self/fd")), list(sys.meta_path)
worker.rehearse()
assert "corehost_plugins.rehearsed" not in sys.modules
assert (set(os.listdir("/proc/self/fd")), list(sys.meta_path)) == before
assert threading.active_count() == 1
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_code_that_was_moved_together_still_runs() -> None:
    code = """
from corehost.plugins.isolation import memory

def double(number, *, by=2):
    return number * by

first, calls = double.__code__, []
memory.gather(lambda: calls.append(double(2)))
assert double.__code__ is not first
assert double.__code__ == first
assert [*calls, double(3), double(3, by=3)] == [4, 6, 9]
memory.settle()
assert double(4) == 8
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_a_worker_that_cannot_be_confined_says_so_and_the_template_goes_on(tmp_path: Path) -> None:
    scratch, around = tmp_path / "scratch", tmp_path / "around"
    scratch.mkdir()
    around.symlink_to(around)

    with closing(Spawner("corehost.worker")) as spawner:
        for _ in range(2):
            refused = _first_frame(spawner, _order(folder=around, scratch=scratch))
            assert refused[1] == "refused"
            assert "it could not be confined" in refused[2]


def _order(*, folder: Path, scratch: Path) -> Order:
    origin = Origin(kind="local", name="clock", path=folder)
    return Order(plugin_id="clock", origin=origin, confinement=Confinement(folder=folder, scratch=scratch))


def _first_frame(spawner: Spawner, order: Order) -> list[str]:
    """Return what a worker made by *order* says first."""
    ours, theirs = socket.socketpair()
    with ours, socket.socket(socket.AF_UNIX) as door:
        with theirs:
            child = spawner.spawn(order, theirs, door)
        ours.settimeout(30)
        frame: list[str] = Frames(ours).next()
        assert child.ended.result(30) == 1
    return frame
