"""Say which machine this is, and keep processes on their cores."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a figure depends on; ``memory`` is in GiB. No name: figures are published."""

    processor: str
    cores: int
    memory: float
    system: str
    python: str

    def __str__(self) -> str:
        return f"{self.processor}, {self.cores} cores, {self.memory:.0f} GiB, {self.system}, Python {self.python}"


def this_machine() -> Machine:
    """Describe the machine at hand."""
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Which core the measured server has for itself, and which one loads it."""

    server: int
    client: int


def two_cores() -> Cores:
    """Choose two cores; ends the program where there is only one, for then nothing could be measured."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise SystemExit("A server and its load need a core each, and this process may use only one.")
    return Cores(server=usable[0], client=usable[1])


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Let processes that are started inside run on *core* alone, from their first moment."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _processor() -> str:
    found = dict[str, str]()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    model = found.get("model name", platform.machine())
    # A rented machine often hides the model; family and model number still tell the generation.
    numbers = f" (family {found['cpu family']}, model {found['model']})" if "cpu family" in found else ""
    return f"{model}{numbers}"
