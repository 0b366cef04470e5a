"""Confine this process for good, and tell what this machine has to do so."""

from __future__ import annotations

import functools
import os
import signal
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from corehost.contract.errors import NotAllowedError
from corehost.plugins.isolation import landlock, seccomp
from corehost.plugins.isolation.identity import give_up, is_root, others_can_read
from corehost.plugins.isolation.kernel import PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, prctl, require

_PACKAGE: Final = Path(__file__).resolve().parents[2]
_SYSTEM: Final = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/usr/share/zoneinfo", "/etc/localtime")
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/urandom")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that one process may take, in bytes and numbers.

    ``memory`` counts what it writes to, ``address_space`` also what is only reserved or shared; ``file`` is the size
    of one file, ``threads`` holds where the process has a user id of its own.
    """

    memory: int = 384_000_000
    address_space: int = 1_500_000_000
    file: int = 16_000_000
    descriptors: int = 128
    threads: int = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What one process is confined to: the *folder* of its code is for reading, *scratch* for writing as well.

    *uid* is its own user id, ``None`` to stay who the host is.
    """

    folder: Path
    scratch: Path
    uid: int | None = None
    limits: Limits = field(default_factory=Limits)

    def readable(self) -> list[Path]:
        """Return what it may read."""
        return [*code_folders(), self.folder]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """A confinement with all that can be found out and made before there is a process to confine.

    ``rules`` is the descriptor of Landlock's rules, ``limits`` are kinds of limits and their bounds.
    """

    scratch: str
    uid: int | None
    keep_reading: bool
    limits: Mapping[int, int]
    rules: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One means of confinement; ``is_needed`` of those without which nothing is run isolated."""

    name: str
    is_there: bool
    detail: str
    is_needed: bool = True


def probe() -> list[Layer]:
    """Return which means of confinement this machine has."""
    known = landlock.version() if sys.platform == "linux" else 0
    filters = sys.platform == "linux" and seccomp.is_available()
    return [
        Layer(name="system", is_there=sys.platform == "linux", detail=f"{sys.platform}; only Linux can confine"),
        Layer(name="Landlock", is_there=known > 0, detail=_landlock_detail(known)),
        Layer(name="seccomp", is_there=filters, detail="filters system calls" if filters else "no filter for this"),
        Layer(name="pidfd", is_there=hasattr(os, "pidfd_open"), detail="kills the right process and no other"),
        Layer(
            name="own user id",
            is_there=is_root(),
            detail="each worker gets its own" if is_root() else "only where the host runs as root",
            is_needed=False,
        ),
    ]


def require_means(layers: Iterable[Layer]) -> None:
    """Raise ``NotAllowedError`` naming what of *layers* this machine lacks to run anything isolated."""
    lacking = [f"{layer.name} ({layer.detail})" for layer in layers if layer.is_needed and not layer.is_there]
    if lacking:
        text = f"This machine lacks {', '.join(lacking)}, so nothing can be run isolated, and it is not run without."
        raise NotAllowedError(f"{text} 'corehost doctor' says more.")


def prepare() -> None:
    """Find out what is the same for every process that is forked from this one; each would do so anew otherwise."""
    import resource  # noqa: F401, PLC0415  # loaded here, once; there is none on Windows

    _is_code_open()
    seccomp.prepare()
    probe()  # also loads the C library's functions


def enclose(confinement: Confinement) -> Enclosure:
    """Make everything for ``enter`` that needs not be made in the confined process; raises ``OSError``."""
    uid = confinement.uid
    own = [confinement.folder, *confinement.scratch.parents]
    writable = [confinement.scratch, *map(Path, _DEVICES)]
    return Enclosure(
        scratch=str(confinement.scratch),
        uid=uid,
        keep_reading=uid is not None and not (_is_code_open() and others_can_read(own)),
        limits=_bounds(confinement.limits, has_own_uid=uid is not None),
        rules=landlock.made_rules(readable=confinement.readable(), writable=writable),
    )


def enter(enclosure: Enclosure, parent: int) -> None:
    """Confine this process, which must have one thread and be a child of *parent*, for the rest of its life.

    Raises ``OSError`` if any layer is refused; the process must then end.
    """
    uid = enclosure.uid
    os.umask(0o077)
    os.chdir(enclosure.scratch)
    if uid is not None:
        os.chown(enclosure.scratch, uid, uid)
    _set_limits(enclosure.limits)
    give_up(uid, keep_reading=enclosure.keep_reading)
    # After the user id, as a change of that takes the wish back.
    require(prctl(PR_SET_PDEATHSIG, signal.SIGKILL) == 0, "the end could not be bound to the parent's")
    if os.getppid() != parent:  # it ended before the wish was heard
        raise OSError("the parent has gone")
    require(prctl(PR_SET_DUMPABLE, 0) == 0, "the memory could not be closed to others")
    require(prctl(PR_SET_NO_NEW_PRIVS, 1) == 0, "new privileges could not be ruled out")
    landlock.restrict(enclosure.rules)
    seccomp.install(os.getpid())


@functools.cache
def code_folders() -> list[Path]:
    """Return where Python, its packages, this one and the libraries of the system lie."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    base = sysconfig.get_paths(vars={"base": sys.base_prefix, "platbase": sys.base_prefix})
    found = [sysconfig.get_paths()[name] for name in names] + [base[name] for name in names]
    return [Path(path) for path in dict.fromkeys([*found, str(_PACKAGE), *_SYSTEM])]


@functools.cache
def _is_code_open() -> bool:
    return others_can_read(code_folders())


def close_all_but(kept: Iterable[int]) -> None:
    """Close every descriptor except *kept*; the first three lead nowhere afterwards."""
    import resource  # noqa: PLC0415  # there is none on Windows

    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard)
    edge = 3
    for descriptor in sorted(kept):
        os.closerange(edge, descriptor)
        edge = descriptor + 1
    os.closerange(edge, max(edge, resource.getrlimit(resource.RLIMIT_NOFILE)[0], 65_536))


def _bounds(limits: Limits, *, has_own_uid: bool) -> Mapping[int, int]:
    import resource  # noqa: PLC0415  # as above

    bounds = {
        resource.RLIMIT_DATA: limits.memory,
        resource.RLIMIT_AS: limits.address_space,
        resource.RLIMIT_FSIZE: limits.file,
        resource.RLIMIT_NOFILE: limits.descriptors,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_RTPRIO: 0,
        resource.RLIMIT_SIGPENDING: 64,
    }
    if has_own_uid:
        bounds[resource.RLIMIT_NPROC] = limits.threads
    return bounds


def _set_limits(bounds: Mapping[int, int]) -> None:
    import resource  # noqa: PLC0415  # as above

    for kind, most in bounds.items():
        resource.setrlimit(kind, (most, most))


def _landlock_detail(known: int) -> str:
    if not known:
        return "the kernel has none: it needs 5.13 or newer with 'landlock' among its security modules"
    scope = "signals and abstract sockets are scoped, too" if known >= 6 else "signals are held by seccomp alone"
    return f"version {known}; {scope}"
