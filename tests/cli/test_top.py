"""`corehost plugin top` against a real host: once, for programs, and live in a terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from corehost.cli.top import rows_of
from tests.cli.commands import ENVIRONMENT, answer, command
from tests.serve.kit import Served, place

COMMAND = [sys.executable, "-m", "corehost", "plugin", "top"]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("top") / "data"
    place(folder, "bystander")
    place(folder, "clock")
    served = Served(folder)
    try:
        served.ready()
        for _ in range(5):
            served.call("bystander", "echo", "a")
        yield served
    finally:
        served.kill()


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, host: Served, *arguments: str) -> None:
        parent, child = pty.openpty()
        environment = {**ENVIRONMENT, "COREHOST_DATA_DIR": str(host.folder), "TERM": "xterm", "COLUMNS": "120"}
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], stdin=child, stdout=child, stderr=child, env=environment, start_new_session=True
        )
        os.close(child)
        self._terminal = parent
        self.text = ""

    def wait_for(self, text: str, count: int = 1) -> None:
        end = time.monotonic() + 30
        while self.text.count(text) < count:
            assert time.monotonic() < end, self.text
            if select.select([self._terminal], [], [], 0.1)[0]:
                self.text += os.read(self._terminal, 65_536).decode()

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def end(self) -> int:
        code = self.process.wait(30)
        while select.select([self._terminal], [], [], 0.1)[0]:
            try:
                self.text += os.read(self._terminal, 65_536).decode()
            except OSError:  # nobody has the other end open any more
                break
        os.close(self._terminal)
        return code


def test_it_prints_the_table_once(host: Served) -> None:
    done = command("plugin", "top", "--once", "--sort", "id", COREHOST_DATA_DIR=str(host.folder))

    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[0].split()[:4] == ["ID", "STATE", "LOAD", "PER"]
    ids = [line.split()[0] for line in lines[1:]]
    assert ids == sorted(ids)
    assert {"bystander", "clock"} <= set(ids)
    row = next(line for line in lines if line.startswith("bystander"))
    assert "enabled" in row
    assert row.split()[-1] in ("method", "hook")


def test_a_program_gets_all_figures(host: Served) -> None:
    found = answer(command("plugin", "top", "--once", "--json", COREHOST_DATA_DIR=str(host.folder)))

    items = {item["id"]: item for item in found["items"]}
    recent = items["bystander"]["figures"]["method"]["recent"]
    assert recent["count"] >= 5
    assert 0 < recent["p50"] <= recent["p95"] <= recent["p99"]
    assert items["bystander"]["figures"]["start"]["count"] == 1
    assert items["bystander"]["budgets"]["errors"]["limit"] == 300
    assert host.get("/api/plugins/bystander/metrics").json()["id"] == "bystander"


def test_it_is_not_for_who_may_not_read_metrics(host: Served) -> None:
    for path in ("/api/plugins/metrics", "/api/plugins/bystander/metrics"):
        assert host.request("GET", path, token=False).status == 401
    assert host.get("/api/plugins/nobody/metrics").status == 404


def test_live_it_goes_on_until_q_and_gives_the_screen_back(host: Served) -> None:
    terminal = Terminal(host, "--interval", "0.2")
    terminal.wait_for("bystander", 2)
    terminal.type("i")
    terminal.wait_for("Sorted by id.")
    terminal.type("q")

    assert terminal.end() == 0
    assert terminal.text.endswith("\x1b[?25h\x1b[?1049l")


def test_live_it_ends_at_ctrl_c(host: Served) -> None:
    terminal = Terminal(host, "--interval", "0.2")
    terminal.wait_for("bystander")
    terminal.process.send_signal(signal.SIGINT)

    assert terminal.end() == 0
    assert "Traceback" not in terminal.text


def test_rates_are_those_since_the_last_look_and_never_below_zero() -> None:
    def item(seconds: float, count: int) -> dict[str, object]:
        recent = {"span": 60.0, "count": 6, "seconds": 3.0, "p50": 0.5, "p95": 0.5, "p99": 0.5}
        figures = {"handler": {"count": count, "seconds": seconds, "recent": recent}}
        rest = {"waiting": 3, "inside": 1, "calls": 1, "errors": {"handler": 2}, "status": "enabled"}
        return {"id": "a", "figures": figures, "blocked": None, "throttled": None, "quarantined": None, **rest}

    [first] = rows_of([item(8.0, 10)], {}, 0.0)
    [later] = rows_of([item(9.0, 14)], {"a": item(8.0, 10)}, 2.0)
    [upgraded] = rows_of([item(1.0, 1)], {"a": item(8.0, 10)}, 2.0)

    assert (first.load, first.rate) == (0.05, 0.1)
    assert (later.load, later.rate, later.queue, later.inside, later.errors) == (0.5, 2.0, 3, 2, 2)
    assert (upgraded.load, upgraded.rate) == (0.0, 0.0)
    assert json.dumps(later.cells())
