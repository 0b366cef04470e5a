"""Unpack a plugin's archive, believing nothing that it says of its members."""

from __future__ import annotations

import io
import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Final

from corehost.contract.errors import InvalidError, TooLargeError

MAX_MEMBERS: Final = 2_000
MAX_UNPACKED: Final = 50_000_000
_MAX_PATH: Final = 200
_CHUNK: Final = 65_536
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    FileExistsError,  # a member that is a file and a folder
    NotADirectoryError,
)
_PART: Final = re.compile(r"[A-Za-z0-9_.@+ -]+")
"""What one step of a member's path may consist of: nothing that any system reads as more than a name."""


def unpack(data: bytes, folder: Path) -> None:
    """Unpack the archive of a plugin into *folder*, in place of what is there; its manifest must lie at the root.

    Raises as ``unpack_members`` does.
    """
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        unpack_members(data, fresh)
        if not (fresh / "manifest.json").is_file():
            raise InvalidError("The archive has no 'manifest.json' at its root.")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.replace(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def unpack_members(data: bytes, folder: Path) -> None:
    """Unpack all of the archive *data* into the new *folder*; what was written by then is left if that fails.

    Raises ``InvalidError`` for an archive with links, devices, paths that lead out, two members of one name or what is
    no archive at all, and ``TooLargeError`` for one that unfolds into too much.
    """
    folder.mkdir(parents=True)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _write(archive, folder)
    except _UNREADABLE as error:
        raise InvalidError(f"The archive cannot be read: {error}.") from error


def _write(archive: zipfile.ZipFile, folder: Path) -> None:
    members = archive.infolist()
    _check(members)
    left = MAX_UNPACKED
    for member in members:
        if member.is_dir():
            continue
        target = folder.joinpath(*PurePosixPath(member.filename).parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, target.open("xb") as file:
            # Counted as it comes: what a member says of its own size is only its word.
            while chunk := source.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise TooLargeError(f"The archive unfolds into more than {MAX_UNPACKED} bytes.")
                file.write(chunk)


def _check(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MAX_MEMBERS:
        raise TooLargeError(f"The archive has {len(members)} members, at most {MAX_MEMBERS} are taken.")
    seen: set[str] = set()
    for member in members:
        name = member.filename
        if fault := _fault(member):
            raise InvalidError(f"The archive's member {name[:_MAX_PATH]!r} {fault}.")
        folded = name.rstrip("/").casefold()  # some file systems know no capitals
        if folded in seen:
            raise InvalidError(f"The archive has two members named {name!r}.")
        seen.add(folded)


def _fault(member: zipfile.ZipInfo) -> str | None:
    name, kind = member.filename, stat.S_IFMT(member.external_attr >> 16)
    parts = name.rstrip("/").split("/")
    if member.orig_filename != name or len(name) > _MAX_PATH:
        return "has a name that cannot be used"
    if not all(_PART.fullmatch(part) and part not in (".", "..") and part.strip() == part for part in parts):
        return "has a path that leads elsewhere"
    if kind not in (0, stat.S_IFDIR if member.is_dir() else stat.S_IFREG):
        return "is a link or a device"
    if member.flag_bits & 0x1 or member.compress_type not in _METHODS:
        return "is encrypted or packed in an unknown way"
    return None
