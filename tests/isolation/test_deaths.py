"""A worker's death is seen at once; it comes back, ever later, and is left off when that does not help."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from corehost.contract.errors import CorehostError, PluginFaultError
from corehost.plugins.isolation import runner
from corehost.plugins.isolation.process import WorkerProcess
from corehost.plugins.isolation.runner import IsolationOptions
from corehost.plugins.isolation.sandbox import Layer, probe
from tests.plugins.workshop import ADMIN, Workshop

NAP = """
import os, re, time

def flood(input, context):
    while True:
        print("x" * 1000)

def hoard(input, context):
    for number in range(5):
        with open(os.environ["TMPDIR"] + f"/{number}", "wb") as file:
            file.write(b"x" * 1_000_000)
    time.sleep(30)

FAILURES = {
    "nap": lambda input, context: time.sleep(30),
    "hold": lambda input, context: re.match(r"(a+)+$", "a" * 40 + "b"),
    "hoard": hoard,
    "flood": flood,
}

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={name: Method(handler=function) for name, function in FAILURES.items()})
"""


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(tmp_path)
    source = made.source("clock", NAP, permissions=("api:expose",)).split("def note")[0]
    rest = made.source("clock", NAP, permissions=("api:expose",)).split('file.write(text + "\\n")')[1]
    (made.folder / "clock.py").write_text(source + rest)
    yield made
    made.stop()


def pid_of(workshop: Workshop) -> int:
    line = workshop.registry.get("clock").line
    assert line is not None
    return line.process.pid


def is_running(pid: int) -> bool:
    """Tell whether a process still runs; an orphan that has ended has its number until the first process buries it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def reached(workshop: Workshop, fits: Callable[[dict[str, Any]], bool]) -> threading.Event:
    """Return what is set as soon as the plugin's summary fits."""
    event = threading.Event()

    def look(summaries: Any) -> None:
        if any(s["id"] == "clock" and fits(s) for s in summaries):
            event.set()

    workshop.registry.store().subscribe(look)
    return event


def test_calls_under_way_fail_at_once_when_the_process_dies(workshop: Workshop) -> None:
    workshop.start(isolated=frozenset({"clock"}))
    nap = workshop.plugins.gateway.submit("clock", "nap", user=ADMIN)
    os.kill(pid_of(workshop), signal.SIGKILL)

    with pytest.raises(PluginFaultError, match="its process has ended"):
        nap.result(2)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ("nap", "still was at 'method'"),
        ("hold", "no sign of life"),
        ("hoard", "scratch folder"),
        ("flood", "flooded the host"),
    ],
)
def test_a_worker_that_only_does_harm_is_ended(workshop: Workshop, failure: str, reason: str) -> None:
    watchful = IsolationOptions(silence=3.0, overdue=0.5, scratch=2_000_000)
    if failure == "hold":
        watchful = IsolationOptions(silence=1.5, overdue=60)
    elif failure != "nap":
        watchful = IsolationOptions(silence=60, overdue=60, scratch=2_000_000)
    workshop.start(isolated=frozenset({"clock"}), isolation=watchful)
    down = reached(workshop, lambda s: reason in str(s["error"]))

    with pytest.raises(CorehostError):
        workshop.plugins.gateway.call("clock", failure, user=ADMIN, timeout=0.3 if failure == "nap" else 30)

    assert down.wait(15)


def test_it_is_started_again_and_quarantined_when_it_dies_again_and_again(workshop: Workshop) -> None:
    workshop.start(isolated=frozenset({"clock"}))
    for _ in range(4):
        before = pid_of(workshop)
        down = reached(workshop, lambda s: s["status"] == "error")
        os.kill(before, signal.SIGKILL)
        assert down.wait(5)
        assert reached(workshop, lambda s: s["status"] == "enabled").wait(10)
        assert pid_of(workshop) != before
    left = reached(workshop, lambda s: "Quarantined" in str(s["error"]))
    os.kill(pid_of(workshop), signal.SIGKILL)

    assert left.wait(5)
    assert "its process ended 5 times" in workshop.error("clock")


def test_all_workers_end_with_their_template_and_the_next_has_a_new_one(workshop: Workshop) -> None:
    workshop.start(isolated=frozenset({"clock"}))
    worker = pid_of(workshop)
    parent = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    down = reached(workshop, lambda s: s["status"] == "error")
    os.kill(parent, signal.SIGKILL)

    assert down.wait(5)
    assert reached(workshop, lambda s: s["status"] == "enabled").wait(15)
    assert not is_running(worker)


def test_nothing_runs_isolated_where_a_layer_is_missing(workshop: Workshop) -> None:
    lacking = [Layer(name="Landlock", is_there=False, detail="none here"), *probe()[2:]]
    workshop.start(isolated=frozenset({"clock"}), isolation=IsolationOptions(probe=lambda: lacking))

    assert workshop.status("clock") == "error"
    assert "lacks Landlock" in workshop.error("clock")
    assert "not run without" in workshop.error("clock")
    with pytest.raises(CorehostError, match="Landlock"):
        workshop.plugins.lifecycle.enable("clock")
    assert workshop.registry.get("clock").line is None


def test_the_layers_are_known() -> None:
    names = [layer.name for layer in probe()]

    assert names == ["system", "Landlock", "seccomp", "pidfd", "own user id"]
    assert all(layer.detail for layer in probe())


def test_hooks_that_decide_for_others_are_refused(workshop: Workshop) -> None:
    body = "from corehost import *\n@hookimpl\ndef corehost_check_permission(user, permission):\n    return True\n"
    body += "@hookimpl\ndef corehost_manifest():\n"
    body += "    return Manifest(id='judge', name='J', version='1.0.0', description='')\n"
    (workshop.folder / "judge.py").write_text(body)
    workshop.start(isolated=frozenset({"judge", "clock"}))

    assert workshop.status("judge") == "error"
    assert "corehost_check_permission cannot be" in workshop.error("judge")


def test_a_worker_is_watched_only_when_it_has_its_line(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = WorkerProcess.open

    def open_late(process: WorkerProcess, *line: Any, **options: Any) -> None:
        threading.Event().wait(0.1)  # many looks of the watcher, which must not come upon a process without a line
        opened(process, *line, **options)

    monkeypatch.setattr(runner, "HEARTBEAT", 0.001)
    monkeypatch.setattr(WorkerProcess, "open", open_late)
    workshop.start(isolated=frozenset({"clock"}))

    assert workshop.status("clock") == "enabled"
    assert any(thread.name == "corehost-workers" for thread in threading.enumerate())
