"""Write so that what was written survives a power cut, whole."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any


def write_json(file: Path, value: Any) -> None:
    """Put *value* as JSON into *file* at once: whoever reads finds the old content or the new, also after a crash."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.new")
    with draft.open("w", encoding="utf-8") as stream:
        json.dump(value, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)
    sync_folder(file.parent)


def read_json(file: Path) -> Any:
    """Return what ``write_json`` put into *file*, ``None`` if there is none or it is no JSON."""
    try:
        return json.loads(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def erase(file: Path) -> None:
    """Take *file* away for good, if it is there."""
    file.unlink(missing_ok=True)
    sync_folder(file.parent)


def erase_folder(folder: Path) -> None:
    """Take *folder* away with all that is in it; what nobody else needs may stay behind if that fails."""
    shutil.rmtree(folder, ignore_errors=True)


def move_in(folder: Path, target: Path) -> None:
    """Move *folder* to *target*, on disk before anything can refer to it."""
    sync_tree(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    folder.replace(target)
    sync_folder(target.parent)
    sync_folder(target.parent.parent)


def sync_tree(folder: Path) -> None:
    """Have all files and folders below *folder* on disk."""
    for path, _, names in os.walk(folder, topdown=False):
        for name in names:
            _sync(Path(path) / name)
        sync_folder(Path(path))


def sync_folder(folder: Path) -> None:
    """Have the names in *folder* on disk, where the system knows how."""
    if os.name == "posix" and folder.is_dir():
        _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
