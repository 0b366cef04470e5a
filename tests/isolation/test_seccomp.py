"""The filter of system calls says the right word to each call, on both machines, whatever this one is."""

from __future__ import annotations

import errno
import struct
from typing import get_args

import pytest

from corehost.plugins.isolation.seccomp import packed_program, program
from corehost.plugins.isolation.syscalls import LAST_KNOWN, Machine, checked, denied

ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
READ = {"x86_64": 0, "aarch64": 63}
ALLOWED = 0x7FFF0000
PID = 4_711
THREAD = 0x3D0F00  # what the C library starts a thread with
MACHINES = get_args(Machine)


def verdict(machine: Machine, number: int, *arguments: int, arch: int | None = None) -> int:
    """Return what the filter says: 0 for allowed, else an error's number."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, arch or ARCH[machine], 0, *padded)
    code, at, accumulator = program(machine, PID), 0, 0
    while True:
        kind, if_true, if_false, constant = code[at]
        at += 1
        if kind == 0x20:
            accumulator = struct.unpack_from("<I", data, constant)[0]
        elif kind == 0x54:
            accumulator &= constant
        elif kind == 0x06:
            return 0 if constant == ALLOWED else constant & 0xFFFF
        else:
            is_so = {0x15: accumulator == constant, 0x25: accumulator > constant, 0x45: bool(accumulator & constant)}
            at += if_true if is_so[kind] else if_false


@pytest.mark.parametrize("machine", MACHINES)
def test_the_kernel_is_given_the_whole_program_for_this_very_process(machine: Machine) -> None:
    packed = packed_program(machine, PID)

    assert list(struct.iter_unpack("<HBBI", packed)) == program(machine, PID)
    assert packed != packed_program(machine, PID + 1)


@pytest.mark.parametrize("machine", MACHINES)
def test_ordinary_calls_pass_and_the_listed_do_not(machine: Machine) -> None:
    assert verdict(machine, READ[machine]) == 0
    assert {verdict(machine, number) for number in denied(machine)} == {errno.EPERM}
    assert len(denied(machine)) > 100
    assert set(denied(machine)).isdisjoint(checked(machine).values())


@pytest.mark.parametrize("machine", MACHINES)
def test_unknown_numbers_and_other_architectures_do_not_pass(machine: Machine) -> None:
    assert verdict(machine, LAST_KNOWN + 1) == errno.ENOSYS
    assert verdict(machine, 0x40000000 + 1) == errno.ENOSYS
    assert verdict(machine, READ[machine], arch=0x40000003) == errno.EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_arguments_decide_where_python_needs_the_call(machine: Machine) -> None:
    calls = checked(machine)

    def says(name: str, *arguments: int) -> int:
        return verdict(machine, calls[name], *arguments)

    assert (says("clone", THREAD), says("clone", 17)) == (0, errno.EPERM)
    assert says("clone", THREAD | 0x10000000) == errno.EPERM
    assert says("clone3") == errno.ENOSYS
    assert (says("socketpair", 1, 1 | 0o2000000), says("socketpair", 1, 2), says("socketpair", 2, 1)) == (
        0, errno.EPERM, errno.EPERM,
    )  # fmt: skip
    assert (says("kill", PID), says("kill", 1), says("kill", 0)) == (0, errno.EPERM, errno.EPERM)
    assert (says("tgkill", PID, 9), says("tgkill", 1, 9)) == (0, errno.EPERM)
    assert (says("prctl", 15), says("prctl", 16), says("prctl", 0x53564D41)) == (0, 0, 0)
    assert {says("prctl", option) for option in (1, 4, 8, 22, 23, 38)} == {errno.EPERM}
    assert (says("prlimit64", 0, 7, 0, 5), says("prlimit64", 0, 7, 5), says("prlimit64", 0, 7, 5 << 32)) == (
        0, errno.EPERM, errno.EPERM,
    )  # fmt: skip
