"""Unpack a plugin's archive, believing nothing that it says of its members."""

from __future__ import annotations

import io
import re
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Final

from corehost.contract.errors import InvalidError, TooLargeError

MAX_MEMBERS: Final = 2_000
MAX_UNPACKED: Final = 50_000_000
_MAX_PATH: Final = 200
_CHUNK: Final = 65_536
_END: Final = struct.Struct("<4s4H2LH")
"""The record at the end of an archive (APPNOTE 4.3.16): magic, …, entries, size and place of the list, comment."""
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


def read_members(data: bytes) -> dict[str, bytes]:
    """Return the content of each file in the archive *data*, by its path; raises as ``unpack_members`` does."""
    found: dict[str, bytes] = {}
    left = MAX_UNPACKED
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            _check(members)
            for member in members:
                if not member.is_dir():
                    with archive.open(member) as source:
                        found[member.filename] = source.read(left + 1)
                    left -= len(found[member.filename])
                    _require_room(left)
    except _UNREADABLE as error:
        raise InvalidError(f"The archive cannot be read: {error}.") from error
    return found


def require_bare(data: bytes) -> None:
    """Raise ``InvalidError`` if the archive *data* holds what ``read_members`` does not return.

    That is bytes before its beginning or behind its end, which other programs might read, and folders without files.
    """
    magic, *_, size, offset, comment = _END.unpack(data[-_END.size :])
    is_whole = magic == b"PK\x05\x06" and not comment and offset + size + _END.size == len(data)
    if not (is_whole and data.startswith(b"PK\x03\x04")):
        raise InvalidError("The archive has bytes before its beginning, behind its end or as a comment.")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
    for folder in (name for name in names if name.endswith("/")):
        if not any(name.startswith(folder) and not name.endswith("/") for name in names):
            raise InvalidError(f"The archive's folder {folder!r} holds no file.")


def path_fault(name: str) -> str | None:
    """Return what is wrong with *name* as a member's path, ``None`` if nothing is."""
    parts = name.rstrip("/").split("/")
    if not all(_PART.fullmatch(part) and part not in (".", "..") and part.strip() == part for part in parts):
        return "has a path that leads elsewhere"
    return None if len(name) <= _MAX_PATH else "has a name that cannot be used"


def _require_room(left: int) -> None:
    if left < 0:
        raise TooLargeError(f"The archive unfolds into more than {MAX_UNPACKED} bytes.")


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
    if member.orig_filename != name:
        return "has a name that cannot be used"
    if fault := path_fault(name):
        return fault
    if kind not in (0, stat.S_IFDIR if member.is_dir() else stat.S_IFREG):
        return "is a link or a device"
    if member.flag_bits & 0x1 or member.compress_type not in _METHODS:
        return "is encrypted or packed in an unknown way"
    return None
