"""Build and install the filter of system calls (seccomp, `Documentation/userspace-api/seccomp_filter.rst`)."""

from __future__ import annotations

import ctypes
import errno
import functools
import platform
import socket
import struct
from typing import Final, cast, get_args

from corehost.plugins.isolation.kernel import prctl, require
from corehost.plugins.isolation.syscalls import LAST_KNOWN, Machine, checked, denied

_PR_SET_SECCOMP: Final = 22
_PR_GET_SECCOMP: Final = 21
_MODE_FILTER: Final = 2
_AUDIT_ARCH: Final[dict[Machine, int]] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL, _ABOVE, _ANY_BIT = 0x15, 0x25, 0x45  # BPF_JMP with JEQ, JGT, JSET and a constant
_AND: Final = 0x54
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000

# Offsets in struct seccomp_data; both machines are little-endian, so the low half of an argument comes first.
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16

_CLONE_THREAD: Final = 0x00010000
_CLONE_NEW: Final = 0x7E020080  # any new namespace
_SOCKET_KIND: Final = 0xF
_PR_NAMES: Final = (15, 16, 0x53564D41)  # set and get a thread's name, name an area of memory

_INSTRUCTION: Final = struct.Struct("HBBI")
_NOBODY: Final = 0xFFFFFFFF  # no process has this id
Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, constant."""


@functools.cache
def machine() -> Machine | None:
    """Return which machine this is, ``None`` for one whose system calls are not known here."""
    name = platform.machine()
    return cast("Machine", name) if name in get_args(Machine) else None


def is_available() -> bool:
    """Tell whether this kernel filters system calls."""
    return machine() is not None and prctl(_PR_GET_SECCOMP) >= 0


def program(kind: Machine, pid: int) -> list[Instruction]:
    """Return the filter for a process with the id *pid*. Whatever is refused gets an error; nothing is killed."""
    return [*_refusals(kind), *_decisions(kind, pid)]


def packed_program(kind: Machine, pid: int) -> bytes:
    """Return ``program`` as the kernel reads it; all but the id is made once, so that forked processes find it."""
    return _comparison(pid).join(_packed_pieces(kind))


def prepare() -> None:
    """Make what is the same for every process, so that each one forked from this finds it there."""
    if (kind := machine()) is not None:
        _packed_pieces(kind)


def _refusals(kind: Machine) -> list[Instruction]:
    """Return the part that needs no more than a call's number, and is the same for every process."""
    no_entry = _ERRNO | errno.EPERM
    code: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, _AUDIT_ARCH[kind]),
        (_RETURN, 0, 0, no_entry),  # the calls of another architecture have other numbers
        (_LOAD, 0, 0, _NUMBER),
        (_ABOVE, 0, 1, LAST_KNOWN),  # also the x32 calls, which begin at 0x40000000
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    ]
    for number in denied(kind):
        code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, no_entry)]
    return code


def _decisions(kind: Machine, pid: int) -> list[Instruction]:
    """Return the part that looks at arguments; what comes to its end is allowed."""
    code: list[Instruction] = []
    for name, number in checked(kind).items():
        body = _body(name, pid)
        code += [(_EQUAL, 0, len(body), number), *body]
    return [*code, (_RETURN, 0, 0, _ALLOW)]


def install(pid: int) -> None:
    """Filter the system calls of this process from now on; it must have one thread and ``no_new_privs``."""
    kind = machine()
    if kind is None:
        raise OSError(errno.ENOSYS, f"no system calls are known for {platform.machine()!r}")
    packed = packed_program(kind, pid)
    instructions, count = ctypes.create_string_buffer(packed, len(packed)), len(packed) // _INSTRUCTION.size
    # struct sock_fprog: the number of instructions and their address.
    described = ctypes.create_string_buffer(struct.pack("HxxxxxxP", count, ctypes.addressof(instructions)))
    is_done = prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(described)) == 0
    require(is_done, "the filter of system calls was not taken")


@functools.cache
def _packed_pieces(kind: Machine) -> list[bytes]:
    """Return what comes before, between and after the comparisons with the id of the process."""
    packed = b"".join(_INSTRUCTION.pack(*instruction) for instruction in program(kind, _NOBODY))
    return packed.split(_comparison(_NOBODY))


def _comparison(pid: int) -> bytes:
    return _INSTRUCTION.pack(_EQUAL, 0, 1, pid)


def _body(name: str, pid: int) -> list[Instruction]:
    """Return the instructions that decide one call by its arguments; each way through them ends in a verdict."""
    allow, refuse = (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    match name:
        case "clone":  # a thread, and no namespace with it
            return [_argument(0), (_ANY_BIT, 2, 0, _CLONE_NEW), (_ANY_BIT, 0, 1, _CLONE_THREAD), allow, refuse]
        case "clone3":  # its arguments lie in memory, where no filter sees them; glibc then takes clone
            return [(_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
        case "socketpair":  # asyncio wakes itself by one; a stream can reach nobody else, a datagram socket could
            is_unix = (_EQUAL, 0, 4, int(socket.AF_UNIX))
            is_stream = (_EQUAL, 0, 1, int(socket.SOCK_STREAM))
            return [_argument(0), is_unix, _argument(1), (_AND, 0, 0, _SOCKET_KIND), is_stream, allow, refuse]
        case "kill" | "tgkill":
            return [_argument(0), (_EQUAL, 0, 1, pid), allow, refuse]
        case "prctl":
            compared = [(_EQUAL, len(_PR_NAMES) - i, 0, option) for i, option in enumerate(_PR_NAMES)]
            return [_argument(0), *compared, refuse, allow]
        case "prlimit64":  # reading limits is fine: no new ones are given
            return [_argument(2), (_EQUAL, 0, 3, 0), _argument(2, high=True), (_EQUAL, 0, 1, 0), allow, refuse]
    raise ValueError(name)


def _argument(index: int, *, high: bool = False) -> Instruction:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * index + 4 * high)
