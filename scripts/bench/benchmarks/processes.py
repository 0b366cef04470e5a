"""Start servers on their core, and read what they used."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import on_core

_TICKS = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 180.0
_STOP_SECONDS = 10.0
_CHILD_SECONDS = 300


def answer_of(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Run one measurement in a process of its own and return what it answers, as JSON, on its last line.

    Raises ``RuntimeError`` with what it said if it failed.
    """
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_CHILD_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"'{' '.join(command[1:])}' failed: {done.stderr[-2_000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


class Process:
    """A program on a core of its own; what it writes is kept for the case that it fails."""

    def __init__(self, command: Sequence[str], *, core: int, environment: Mapping[str, str]) -> None:
        self._name = Path(command[0]).name
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # closed by stop()
        with on_core(core):
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def output(self) -> str:
        """Return what it has written so far."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def wait_for_port(self, port: int) -> None:
        """Wait until it takes connections; raises ``RuntimeError`` if it ends or takes none."""
        self.wait_until(lambda: _answers(port), f"port {port}")

    def wait_for_file(self, path: Path) -> None:
        """Wait until it has made *path*."""
        self.wait_until(path.exists, str(path))

    def wait_until(self, is_there: Callable[[], bool], what: str) -> None:
        """Wait until *is_there*; raises ``RuntimeError`` with what it has written if it ends or takes three minutes."""
        until = time.monotonic() + _START_SECONDS
        while not is_there():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self._name} did not get to {what}: {self.output()[-2_000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it, gently at first."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            for pid in _family(self.pid):
                os.kill(pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()

    def cpu_seconds(self) -> float:
        """Return the processor time of it and its children."""
        return sum(_cpu_seconds(pid) for pid in _family(self.pid))

    def memory_bytes(self) -> int:
        """Return the memory that it and its children hold; what they share counts once."""
        return sum(_memory_bytes(pid) for pid in _family(self.pid))


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _family(pid: int) -> Iterator[int]:
    """Return a process and its descendants; one that ends meanwhile is left out."""
    yield pid
    for task in _read(f"/proc/{pid}/task/{pid}/children").split():
        yield from _family(int(task))


def _cpu_seconds(pid: int) -> float:
    # The name in brackets may hold spaces; utime and stime are fields 14 and 15 (proc(5)).
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0


def _memory_bytes(pid: int) -> int:
    lines = _read(f"/proc/{pid}/smaps_rollup").splitlines()
    return sum(int(line.split()[1]) * 1_024 for line in lines if line.startswith("Pss:"))


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
