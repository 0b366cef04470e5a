"""Drive the load client, `client/loadclient.c`."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.machine import on_core

_CONNECT_SECONDS = 180.0
_RUN_SECONDS = 180.0


class LoadError(Exception):
    """The load client could not do its work; the text says what hindered it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """What came of one run, all clients together.

    ``missing`` never came in its place; of those, ``late`` came twice or after a later one, and ``skipped`` were
    passed over by a later one. ``gone`` counts clients that lost their connection, the last one for ``reason``.
    ``seconds`` is from the order to the last arrival; times of messages are from when each was due.
    """

    published: int
    clients: int
    gone: int
    reason: str
    expected: int
    received: int
    missing: int
    skipped: int
    late: int
    seconds: float
    p50_us: float
    p99_us: float

    @property
    def is_whole(self) -> bool:
        """Whether everything came once and in order."""
        return self.expected > 0 and self.missing == self.late == self.gone == 0

    @property
    def rate(self) -> float:
        """Deliveries a second."""
        return self.received / self.seconds if self.seconds else 0.0


class LoadClient:
    """*clients* WebSocket clients on one core; a run is over when nothing has come for *grace* seconds."""

    def __init__(  # the options are those of the program
        self,
        program: Path,
        *,
        core: int,
        protocol: str,
        port: int,
        clients: int,
        control: Path | None = None,
        header: str = "",
        sets: int = 1,
        at_once: int = 64,
        grace: float = 5.0,
    ) -> None:
        command = [str(program), "--protocol", protocol, "--port", str(port), "--clients", str(clients)]
        command += ["--header", header, "--sets", str(sets), "--at-once", str(at_once)]
        command += ["--grace", str(int(grace * 1_000))]
        command += ["--control", str(control)] if control else []
        with on_core(core):
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._clients = clients
        self._held = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def connect(self) -> float:
        """Wait until all clients are subscribed and return how many seconds that took; raises ``LoadError``."""
        ready = self._answer(_CONNECT_SECONDS)
        if ready["gone"]:
            raise LoadError(f"{ready['gone']} of {self._clients} clients were not let in: {ready['reason']}")
        return float(ready["seconds"])

    def paced(self, count: int, rate: float) -> Arrivals:
        """Let *count* messages be published, *rate* a second."""
        return self._run(f"paced {count} {int(1e9 / rate)}")

    def flood(self, seconds: float, window: int = 1_024) -> Arrivals:
        """Let as many be published for *seconds* as arrive; at most *window* are under way.

        1,024 messages are half of what a corehost relay buffers for a client, and 20 ms of the fastest peer's work.
        """
        return self._run(f"flood {int(seconds * 1_000)} {window}")

    def close(self) -> None:
        """Disconnect all clients."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _run(self, command: str) -> Arrivals:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{command}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise LoadError(f"The load client has ended with {self._process.wait()}.") from None
        answer = self._answer(_RUN_SECONDS)
        return Arrivals(**{field.name: answer[field.name] for field in fields(Arrivals)})

    def _answer(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        pipe, until = self._process.stdout.fileno(), time.monotonic() + seconds
        while b"\n" not in self._held:
            if not select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
                self._process.kill()
                raise LoadError(f"The load client said nothing for {seconds:.0f} s.")
            read = os.read(pipe, 65_536)
            if not read:
                raise LoadError(f"The load client ended with {self._process.wait()}.")
            self._held += read
        line, _, self._held = self._held.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer
