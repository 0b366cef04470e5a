"""Call the kernel where Python has no function for it."""

from __future__ import annotations

import ctypes
import functools
import os
from typing import Any, Final

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_KEEPCAPS: Final = 8
PR_SET_NO_NEW_PRIVS: Final = 38


@functools.cache
def _libc() -> ctypes.CDLL:
    """Return the C library; not at import, as the host may run where there is none of this kind."""
    found = ctypes.CDLL(None, use_errno=True)
    found.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    found.prctl.restype = ctypes.c_int
    found.syscall.restype = ctypes.c_long
    return found


def prctl(option: int, *values: int) -> int:
    """Return what ``prctl`` returns, -1 if it failed."""
    return int(_libc().prctl(option, *values, *[0] * (4 - len(values))))


def syscall(number: int, *values: Any) -> int:
    """Return the result of a system call, -1 if it failed."""
    return int(_libc().syscall(ctypes.c_long(number), *values))


def require(is_done: bool, what: str) -> None:
    """Raise ``OSError`` that names *what* and the kernel's reason unless it *is_done*."""
    if not is_done:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
