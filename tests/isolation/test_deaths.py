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
from corehost.plugins.isolation.runner import IsolationOptions
from corehost.plugins.isolation.sandbox import Layer, probe
from tests.plugins.workshop import ADMIN, Workshop

NAP = """
import time

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={"nap": Method(handler=lambda input, context: time.sleep(30))})
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
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


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
