"""Drive the HTTP client, `client/httpclient.c`."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import on_core


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What came of one run; ``errors`` are answers other than 200 and connections cut off in the middle."""

    requests: int
    errors: int
    reopened: int
    seconds: float
    p50_us: float
    p99_us: float
    p100_us: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


class HttpLoad:
    """Requests that go on beside whatever the benchmark does; ``answers`` waits for their end.

    Each connection asks again at once when it has its answer, or *pause* milliseconds later.
    """

    def __init__(
        self,
        program: Path,
        *,
        core: int,
        port: int,
        path: str,
        seconds: int,
        connections: int,
        header: str = "",
        pause: int = 0,
    ) -> None:
        command = [str(program), "--port", str(port), "--path", path, "--seconds", str(seconds)]
        command += ["--connections", str(connections), "--header", header, "--pause", str(pause)]
        with on_core(core):
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def answers(self) -> Answers:
        """Wait for the end and return what came; raises ``RuntimeError`` if a request failed."""
        said, complaint = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError(complaint.strip())
        answers = Answers(**json.loads(said))
        if answers.errors:
            raise RuntimeError(f"{answers.errors} of {answers.requests} requests failed: {complaint.strip()}")
        return answers
