"""Sign a plugin's folder or archive."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from corehost.contract.errors import InvalidError, NotFoundError, TooLargeError
from corehost.plugins.archives import MAX_MEMBERS, MAX_UNPACKED, path_fault, read_members
from corehost.plugins.external import MAX_ARCHIVE
from corehost.plugins.manifests import parse_manifest
from corehost.plugins.signing.keys import PrivateKey
from corehost.plugins.signing.signature import SIGNATURE, Signature, hash_of, sign_files
from corehost.plugins.sources import MANIFEST

_LEFT_OUT: Final = frozenset({"__pycache__", "node_modules"})
_MOMENT: Final = (1980, 1, 1, 0, 0, 0)
"""The time of all members: the same files make the same archive, and so the same pin."""


def sign_folder(folder: Path, key: PrivateKey) -> Signature:
    """Write the signature of all files in *folder* into it, but for caches and what is hidden.

    Raises ``NotFoundError`` without a manifest, ``InvalidError`` for links and for names that no archive may have.
    """
    signature = _signed(_read_folder(folder), key)
    (folder / SIGNATURE).write_bytes(signature.to_bytes())
    return signature


def sign_archive(file: Path, key: PrivateKey) -> Signature:
    """Write the signature of all files in the archive into it; raises as ``read_members`` does, ``NotFoundError``."""
    if file.stat().st_size > MAX_ARCHIVE:
        raise TooLargeError(f"{file} has {file.stat().st_size:,} bytes, at most {MAX_ARCHIVE:,} are taken.")
    members = read_members(file.read_bytes())
    signature = _signed(members, key)
    _replace(file, pack({**members, SIGNATURE: signature.to_bytes()}))
    return signature


def pack_folder(folder: Path, file: Path) -> None:
    """Write the files that ``sign_folder`` signs, and the signature, into the archive *file*."""
    signature = (folder / SIGNATURE).read_bytes()
    _replace(file, pack({**_read_folder(folder), SIGNATURE: signature}))


def pack(members: Mapping[str, bytes]) -> bytes:
    """Return an archive of *members*, by path; the same for the same."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, members[name])
    return held.getvalue()


def _signed(members: Mapping[str, bytes], key: PrivateKey) -> Signature:
    if MANIFEST not in members:
        raise NotFoundError(f"There is no {MANIFEST!r} at the root. 'corehost plugin build' writes one.")
    manifest = parse_manifest(members[MANIFEST], MANIFEST)
    hashes = {path: hash_of(content) for path, content in members.items()}
    return sign_files(key, plugin=manifest.id, version=manifest.version, hashes=hashes)


def _read_folder(folder: Path) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    left = MAX_UNPACKED
    for path, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith("."))
        for file in (Path(path) / name for name in (*sorted(files), *folders)):
            if file.is_symlink() or not (file.is_file() or file.is_dir()):
                raise InvalidError(f"{file} is a link or a device. A plugin's folder may hold files and folders only.")
            inside = file.relative_to(folder).as_posix()
            if file.is_dir() or file.name.startswith(".") or inside == SIGNATURE:
                continue
            if path_fault(inside):
                raise InvalidError(f"{file} cannot be in an archive: use letters, digits and '_.@+ -' in names.")
            members[inside] = file.read_bytes()
            left -= len(members[inside])
            if left < 0 or len(members) >= MAX_MEMBERS:
                raise TooLargeError(f"{folder} is over {MAX_UNPACKED:,} bytes or {MAX_MEMBERS:,} files.")
    return members


def _replace(file: Path, data: bytes) -> None:
    if len(data) > MAX_ARCHIVE:
        raise TooLargeError(f"The archive would have {len(data):,} bytes, at most {MAX_ARCHIVE:,} are taken.")
    draft = file.with_name(f".{file.name}.new")
    draft.write_bytes(data)
    draft.replace(file)
