"""What one run of the benchmarks shares."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from benchmarks.machine import Cores
from benchmarks.workbench import Workbench


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How to measure; ``only`` names the contenders to measure, none for all; ``is_full`` adds what takes long."""

    workbench: Workbench
    cores: Cores
    rounds: int
    is_quick: bool
    is_full: bool = False
    only: tuple[str, ...] = ()

    def wants(self, who: str) -> bool:
        """Tell whether *who* is to be measured."""
        return not self.only or who in self.only

    def tell(self, text: str) -> None:
        """Say how far it is, beside the result."""
        print(f"… {text}", file=sys.stderr, flush=True)
