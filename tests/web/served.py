"""Programs of the tests that serve, in processes of their own."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
ROOT = Path(__file__).parents[2]


class Served:
    """One program of ``programs/``, with what it says on stdout, line by line.

    One that *is_measured* for coverage takes four times as long for a page, and its threads queue up for the meter.
    """

    def __init__(self, program: str, *arguments: str, descriptors: int | None = None, is_measured: bool = True) -> None:
        limited = [] if descriptors is None else ["prlimit", f"--nofile={descriptors}:{descriptors}"]
        unwanted = () if is_measured else ("COVERAGE_",)
        environ = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
        self.process = subprocess.Popen(
            [*limited, sys.executable, str(PROGRAMS / program), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**environ, "PYTHONPATH": str(ROOT)},
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def expect(self, first: str, seconds: float = 20.0) -> list[str]:
        """Wait for a line that begins with *first* and return its words; lines before it are dropped."""
        end = time.monotonic() + seconds
        while True:
            words = self._lines.get(timeout=max(0.01, end - time.monotonic())).split()
            if words[0] == first:
                return words

    def port(self) -> int:
        """Wait until it listens and return the port."""
        return int(self.expect("listening")[1])

    def errors(self) -> str:
        """Wait for the end and return what was written to stderr."""
        assert self.process.stderr is not None
        text = self.process.stderr.read()
        self.process.wait(20.0)
        return text

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)


def serving(
    closers: ExitStack, program: str, *arguments: str, descriptors: int | None = None, is_measured: bool = True
) -> Served:
    """Start a program; it is told to end with *closers*."""
    served = Served(program, *arguments, descriptors=descriptors, is_measured=is_measured)

    def end() -> None:
        if served.process.poll() is None:
            served.process.send_signal(signal.SIGTERM)
            try:
                served.process.wait(30.0)
            except subprocess.TimeoutExpired:
                served.process.kill()
                served.process.wait()
        for stream in (served.process.stdout, served.process.stderr):
            assert stream is not None
            stream.close()

    closers.callback(end)
    return served
