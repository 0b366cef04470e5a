"""What the process that serves a host holds."""

from __future__ import annotations

import os
from pathlib import Path

from tests.serve.kit import Served


class Process:
    """The worker of a host, as the kernel tells of it."""

    def __init__(self, host: Served) -> None:
        parent = host.process.pid
        listed = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
        serving = [pid for pid in map(int, listed) if _threads_of(pid) > 2]  # not the template of isolated plugins
        assert len(serving) == 1, f"one child serves: {listed}"
        self._pid = serving[0]

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self._pid}/fd"))  # noqa: PTH208  # names are enough

    def threads(self) -> int:
        return _threads_of(self._pid)

    def memory(self) -> int:
        """Return how many bytes are resident."""
        pages = Path(f"/proc/{self._pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _threads_of(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208  # names are enough
