"""Call the kernel where Python has no function for it."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Final

# One handle for the process; made in the template, as a confined process may open no library.
_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
_libc.prctl.restype = ctypes.c_int
_libc.syscall.restype = ctypes.c_long

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_KEEPCAPS: Final = 8
PR_SET_NO_NEW_PRIVS: Final = 38


def prctl(option: int, *values: int) -> int:
    """Return what ``prctl`` returns, -1 if it failed."""
    return int(_libc.prctl(option, *values, *[0] * (4 - len(values))))


def syscall(number: int, *values: Any) -> int:
    """Return the result of a system call, -1 if it failed."""
    return int(_libc.syscall(ctypes.c_long(number), *values))


def require(is_done: bool, what: str) -> None:
    """Raise ``OSError`` that names *what* and the kernel's reason unless it *is_done*."""
    if not is_done:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
