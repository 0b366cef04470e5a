"""Attacker: tries, from inside of a worker, whatever a plugin must not be able to do."""

import ctypes
import errno
import mmap
import os
import resource
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corehost import (
    ApiSpec,
    Manifest,
    Method,
    MethodContext,
    PluginContext,
    Route,
    RoutesSpec,
    hookimpl,
)

libc = ctypes.CDLL(None, use_errno=True)
contexts: list[PluginContext] = []
X86 = os.uname().machine == "x86_64"


def syscall(x86: int, arm: int, *arguments: Any) -> int:
    result = libc.syscall(ctypes.c_long(x86 if X86 else arm), *arguments)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result)


def pid_of(target: dict[str, Any]) -> int:
    return int(target["host"])


def scratch() -> Path:
    return Path(os.environ["TMPDIR"])


def own_file() -> Path:
    place = scratch() / "own"
    place.write_text("mine")
    return place


def through_link(target: dict[str, Any], link: Callable[[str, Path], None]) -> str:
    place = scratch() / "link"
    link(target["secret"], place)
    return place.read_text()


def socket_to(family: int, kind: int, address: Any) -> None:
    with socket.socket(family, kind) as made:
        made.settimeout(1.0)
        made.connect(address)


def listen(target: dict[str, Any]) -> None:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        made.listen()


def datagram(target: dict[str, Any]) -> None:
    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.sendto(b"x", target["unix"])


def reconnect(target: dict[str, Any]) -> None:
    one, _ = socket.socketpair()
    one.connect(target["unix"])


def many_files(target: dict[str, Any]) -> int:
    held = [open(os.devnull, "rb") for _ in range(1_000)]  # noqa: SIM115, PTH123  # held open on purpose
    return len(held)


def huge_file(target: dict[str, Any]) -> None:
    with (scratch() / "huge").open("wb") as file:
        for _ in range(40):
            file.write(b"x" * 1_000_000)


def huge_memory(target: dict[str, Any]) -> int:
    return len(bytearray(2_000_000_000))


def shared_memory(target: dict[str, Any]) -> int:
    return len(mmap.mmap(-1, 4_000_000_000))


def threads(target: dict[str, Any]) -> int:
    gate = threading.Event()
    started = []
    try:
        for _ in range(250):
            thread = threading.Thread(target=gate.wait, daemon=True)
            thread.start()
            started.append(thread)
    finally:
        gate.set()
    return len(started)


def other_architecture(target: dict[str, Any]) -> int:
    return syscall(0x40000000 + 41, 1_000, 2, 1, 0)  # socket by the x32 calls; a number that is none


ATTACKS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "read the host's key": lambda t: Path(t["secret"]).read_text(),
    "read the passwords": lambda t: Path("/etc/shadow").read_text(),
    "read its own environment from the kernel": lambda t: Path("/proc/self/environ").read_bytes(),
    "read its own memory map": lambda t: Path("/proc/self/maps").read_text(),
    "read the host's memory from the kernel": lambda t: Path(f"/proc/{pid_of(t)}/mem").read_bytes(),
    "read the host's environment": lambda t: Path(f"/proc/{pid_of(t)}/environ").read_bytes(),
    "list the root folder": lambda t: list(Path("/").iterdir()),
    "list the host's data": lambda t: list(Path(t["secret"]).parent.iterdir()),
    "follow a symbolic link of its own": lambda t: through_link(t, lambda a, b: b.symlink_to(a)),
    "make a hard link": lambda t: through_link(t, lambda a, b: b.hardlink_to(a)),
    "write outside": lambda t: Path(t["outside"]).write_text("was here"),
    "make a folder outside": lambda t: Path(t["outside"]).mkdir(),
    "write its own code": lambda t: Path(__file__).write_text("print('changed')"),
    "remove its own code": lambda t: Path(__file__).unlink(),
    "move its own code": lambda t: Path(__file__).rename(scratch() / "moved.py"),
    "remove the host's key": lambda t: Path(t["secret"]).unlink(),
    "open the host's key to all": lambda t: Path(t["secret"]).chmod(0o777),
    "take the host's key over": lambda t: os.chown(t["secret"], os.getuid(), os.getgid()),
    "age the host's key": lambda t: os.utime(t["secret"], (1, 1)),
    "cut the host's key off": lambda t: os.truncate(t["secret"], 0),
    "mark the host's key": lambda t: os.setxattr(t["secret"], "user.mine", b"1"),
    "change the mode of a file of its own": lambda t: own_file().chmod(0o777),
    "cut a file of its own off by its path": lambda t: os.truncate(own_file(), 0),
    "make a device": lambda t: os.mknod(scratch() / "disk", 0o60600, os.makedev(8, 0)),
    "open a file by its handle": lambda t: syscall(304, 265, -100, None, 0),
    "connect by TCP": lambda t: socket_to(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", t["port"])),
    "connect by TCP over IPv6": lambda t: socket_to(socket.AF_INET6, socket.SOCK_STREAM, ("::1", t["port"])),
    "listen by TCP": listen,
    "send by UDP": lambda t: socket_to(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", t["port"])),
    "connect to a Unix socket": lambda t: socket_to(socket.AF_UNIX, socket.SOCK_STREAM, t["unix"]),
    "connect to an abstract socket": lambda t: socket_to(socket.AF_UNIX, socket.SOCK_STREAM, t["abstract"]),
    "send from a pair of datagram sockets": datagram,
    "connect a socket that it may have": reconnect,
    "open a raw socket": lambda t: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "open a packet socket": lambda t: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "open a netlink socket": lambda t: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
    "set io_uring up": lambda t: syscall(425, 425, 8, ctypes.create_string_buffer(120)),
    "signal the host": lambda t: os.kill(pid_of(t), 0),
    "signal everybody": lambda t: os.kill(-1, 0),
    "signal its parent": lambda t: os.kill(os.getppid(), 0),
    "signal a thread of the host": lambda t: syscall(200, 130, pid_of(t), 0),
    "get a handle of the host": lambda t: os.pidfd_open(pid_of(t)),
    "trace the host": lambda t: syscall(101, 117, 16, pid_of(t), 0, 0),
    "read the host's memory": lambda t: syscall(310, 270, pid_of(t), None, 0, None, 0, 0),
    "fork": lambda t: os.fork(),
    "start a program": lambda t: subprocess.run(["/bin/true"], check=True),
    "spawn a program": lambda t: os.posix_spawn("/bin/true", ["true"], {}),
    "become a program": lambda t: os.execv(sys.executable, [sys.executable, "-c", ""]),  # noqa: S606  # it must fail
    "leave for a namespace": lambda t: syscall(272, 97, 0x10000000),
    "clone into a namespace": lambda t: syscall(56, 220, 0x10000000 | 17, 0, 0, 0, 0),
    "clone in the new way": lambda t: syscall(435, 435, ctypes.create_string_buffer(88), 88),
    "join a namespace": lambda t: syscall(308, 268, 0, 0),
    "mount": lambda t: syscall(165, 40, b"none", str(scratch()).encode(), b"tmpfs", 0, None),
    "change the root": lambda t: os.chroot(scratch()),
    "take 2 GB of memory": huge_memory,
    "share 4 GB of memory": shared_memory,
    "make a file in memory": lambda t: os.memfd_create("mine"),
    "make shared memory": lambda t: syscall(29, 194, 0, 1 << 20, 0o1600),
    "open a thousand files": many_files,
    "start 250 threads": threads,
    "write a huge file": huge_file,
    "raise a limit": lambda t: syscall(160, 164, 2, (1 << 40).to_bytes(8, "little") * 2),
    "lift a limit": lambda t: resource.prlimit(0, resource.RLIMIT_NOFILE, (1 << 16, 1 << 16)),
    "become root": lambda t: os.setuid(0),
    "take all user ids": lambda t: os.setresuid(0, 0, 0),
    "take groups": lambda t: os.setgroups([0]),
    "take capabilities": lambda t: syscall(126, 91, ctypes.create_string_buffer(8), ctypes.create_string_buffer(24)),
    "outlive its parent": lambda t: prctl(1, 0),
    "open its memory": lambda t: prctl(4, 1),
    "add a filter of its own": lambda t: syscall(317, 277, 1, 0, None),
    "add a rule of its own": lambda t: syscall(444, 444, None, 0, 1),
    "load a program into the kernel": lambda t: syscall(321, 280, 0, None, 0),
    "watch the processor": lambda t: syscall(298, 241, None, 0, -1, -1, 0),
    "handle page faults": lambda t: syscall(323, 282, 0),
    "keep keys": lambda t: syscall(248, 217, b"user", b"mine", b"x", 1, -3),
    "call by another architecture": other_architecture,
    "read another worker's folder": lambda t: list(Path(t["neighbour"]).iterdir()),
    "write into another worker's folder": lambda t: (Path(t["neighbour"]) / "x").write_text("x"),
}


def prctl(option: int, value: int) -> None:
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def attack(input: dict[str, Any], context: MethodContext) -> dict[str, Any]:
    """Return what came of an attack: it is denied if it raises."""
    try:
        got = ATTACKS[input["attack"]](input)
    except (OSError, MemoryError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
        number = getattr(error, "errno", None)
        return {"denied": type(error).__name__, "reason": errno.errorcode.get(number or 0)}
    return {"got": repr(got)[:200]}


def look(input: Any, context: MethodContext) -> dict[str, Any]:
    """Return what there is to see, and what must work."""
    held = []
    for number in range(256):
        try:
            found_there = os.fstat(number)
        except OSError:
            continue
        kind = stat.S_IFMT(found_there.st_mode)
        is_null = found_there.st_rdev == os.makedev(1, 3)
        held.append("null" if is_null else {stat.S_IFSOCK: "socket", 0: "no file"}.get(kind, "file"))
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append("thread"))
    thread.start()
    thread.join()
    contexts[0].storage.set("mine", 5)
    (scratch() / "mine.txt").write_text("mine")
    return {
        "environ": dict(os.environ),
        "descriptors": held,
        "ids": [*os.getresuid(), *os.getresgid()],
        "groups": os.getgroups(),
        "import": __import__("xml.dom.minidom").__name__,
        "thread": found,
        "storage": contexts[0].storage.get("mine"),
        "scratch": (scratch() / "mine.txt").read_text(),
        "stat": Path("/etc/passwd").stat().st_size > 0,
        "pid": os.getpid(),
        "folder": str(scratch()),
    }


@hookimpl
def corehost_manifest() -> Manifest:
    asked = ("api:expose", "routes:register", "storage:read", "storage:write")
    return Manifest(id="attacker", name="Attacker", version="1.0.0", description="", permissions=asked)


@hookimpl
def corehost_api() -> ApiSpec:
    return ApiSpec(version="1.0.0", methods={"attack": Method(handler=attack), "look": Method(handler=look)})


@hookimpl
def corehost_routes() -> RoutesSpec:
    return RoutesSpec(base_path="/attacker", routes=(Route(path="/", view=lambda: "<h1>Harmless</h1>"),))


@hookimpl
def corehost_setup(context: PluginContext) -> None:
    contexts.append(context)
