"""Confine a process to the files that it is given (Landlock, `Documentation/userspace-api/landlock.rst`)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from corehost.plugins.isolation.kernel import require, syscall

# The same numbers on every machine.
_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_ASK_VERSION: Final = 1
_PATH_BENEATH: Final = 1

_READ_FILE, _READ_DIR, _WRITE_FILE = 1 << 2, 1 << 3, 1 << 1
_REMOVE_DIR, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_DIR, _MAKE_REG = 1 << 7, 1 << 8
_TRUNCATE: Final = 1 << 14

_FILE_RIGHTS: Final = {1: (1 << 13) - 1, 2: 1 << 13, 3: _TRUNCATE, 5: 1 << 15}
"""Which rights over files each version brought: the first thirteen, moving between folders, truncating, ioctl."""
_NET_RIGHTS: Final = 3  # since 4: bind and connect by TCP
_SCOPES: Final = 3  # since 6: abstract Unix sockets and signals reach nobody outside

_READ: Final = _READ_FILE | _READ_DIR
_WRITE: Final = _READ | _WRITE_FILE | _TRUNCATE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG
_OF_FILES: Final = _READ_FILE | _WRITE_FILE | _TRUNCATE


def version() -> int:
    """Return the version of Landlock's interface in this kernel, 0 for none."""
    return max(0, syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION)))


def made_rules(*, readable: Iterable[Path], writable: Iterable[Path]) -> int:
    """Return the descriptor of rules that hold a process to these files and folders.

    Everything else can neither be read nor changed, and no right over the network is given. What a path names that
    does not exist is left out.
    """
    known = version()
    rights = sum(bits for since, bits in _FILE_RIGHTS.items() if since <= known)
    attributes = struct.pack("QQQ", rights, _NET_RIGHTS if known >= 4 else 0, _SCOPES if known >= 6 else 0)
    attributes = attributes[: 24 if known >= 6 else 16 if known >= 4 else 8]
    rules = syscall(_CREATE, ctypes.c_char_p(attributes), ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0))
    require(rules >= 0, "Landlock made no set of rules")
    try:
        for path in readable:
            _allow(rules, path, _READ & rights)
        for path in writable:
            _allow(rules, path, _WRITE & rights)
    except BaseException:
        os.close(rules)
        raise
    return rules


def restrict(rules: int) -> None:
    """Keep this process to *rules* from now on and close them; it must have one thread and ``no_new_privs``."""
    require(syscall(_RESTRICT, rules, ctypes.c_uint32(0)) == 0, "Landlock's rules were not taken")
    os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            wanted = rights if path.is_dir() else rights & _OF_FILES
            rule = ctypes.c_char_p(struct.pack("=Qi", wanted, place))
            is_added = syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, ctypes.c_uint32(0)) == 0
            require(is_added, f"Landlock took no rule for {path}")
        finally:
            os.close(place)
