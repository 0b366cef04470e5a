"""Give up who one is: root's powers, and where it is possible the user id that the host has."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from corehost.plugins.isolation.kernel import PR_SET_KEEPCAPS, prctl, require, syscall
from corehost.plugins.isolation.seccomp import machine

FIRST_UID: Final = 60_706
LAST_UID: Final = 61_183
"""A range that systemd's list of user ids leaves unused, low enough for containers that know 65,536 of them."""

_CAPSET: Final = {"x86_64": 126, "aarch64": 91}
_CAPABILITY_VERSION: Final = 0x20080522
_READ_SEARCH: Final = 1 << 2  # CAP_DAC_READ_SEARCH


def is_root() -> bool:
    """Tell whether this process may take another user's id."""
    return os.geteuid() == 0


def others_can_read(paths: Iterable[Path]) -> bool:
    """Tell whether a user without rights of its own gets to all of *paths*; those that do not exist do not count."""
    return all(_is_open(path) for path in paths if path.exists())


def give_up(uid: int | None, *, keep_reading: bool) -> None:
    """Become user *uid*, if one is given, and lay down every capability.

    ``keep_reading`` keeps the one to read whatever file: for an interpreter or a plugin in somebody's private folder,
    which another user could not import. Which files those are is then for Landlock alone to say.
    """
    if uid is not None:
        require(prctl(PR_SET_KEEPCAPS, 1) == 0, "the capabilities could not be kept for a moment")
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        require(prctl(PR_SET_KEEPCAPS, 0) == 0, "the capabilities would be kept")
    _keep_capabilities(_READ_SEARCH if keep_reading and uid is not None else 0)


def _keep_capabilities(wanted: int) -> None:
    header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
    # Effective, permitted and inheritable, the low halves first.
    data = struct.pack("IIIIII", wanted, wanted, 0, 0, 0, 0)
    number = _CAPSET[str(machine())]
    is_done = syscall(number, ctypes.c_char_p(header), ctypes.c_char_p(data)) == 0
    require(is_done, "the capabilities could not be laid down")


def _is_open(path: Path) -> bool:
    wanted = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
    real = path.resolve()
    is_readable = real.stat().st_mode & wanted == wanted
    return is_readable and all(parent.stat().st_mode & stat.S_IXOTH for parent in real.parents)
