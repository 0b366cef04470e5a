"""Copy a plugin's storage as it is at one moment, and put such a copy back."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

_SIDES = ("-wal", "-shm")


def take_snapshot(storage: Path, snapshot: Path) -> bool:
    """Copy the SQLite file *storage* to *snapshot*, on disk on return; ``False`` if there is none to copy.

    The file may be in use: the copy is of one moment. Raises ``OSError`` if there is no room for it.
    """
    if not storage.is_file():
        return False
    snapshot.parent.mkdir(parents=True, exist_ok=True)
    draft = snapshot.with_name(f"{snapshot.name}.new")
    draft.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(storage)) as source, closing(sqlite3.connect(draft)) as target:
            source.backup(target)
        _place(draft, snapshot)
    except sqlite3.Error as error:
        draft.unlink(missing_ok=True)
        raise OSError(f"The storage {storage.stem!r} could not be copied: {error}.") from error
    return True


def put_back(snapshot: Path, storage: Path) -> None:
    """Move *snapshot* to the place of *storage*, which nobody may have open; one that is gone was moved before."""
    if snapshot.is_file():
        _erase_sides(storage)  # what a log beside it holds belongs to the file that goes
        _place(snapshot, storage)


def copy_back(snapshot: Path, storage: Path) -> None:
    """Make *storage*, which nobody may have open, what *snapshot* is, and leave that where it is."""
    draft = storage.with_name(f"{storage.name}.back")
    take_snapshot(snapshot, draft)
    put_back(draft, storage)


def erase_storage(storage: Path) -> None:
    """Take the SQLite file *storage*, which nobody may have open, away with what lies beside it."""
    storage.unlink(missing_ok=True)
    _erase_sides(storage)
    _sync(storage.parent)


def _place(draft: Path, target: Path) -> None:
    _erase_sides(draft)  # SQLite leaves them beside a copy of a file that keeps its log
    _sync(draft)
    draft.replace(target)
    _sync(target.parent)


def _erase_sides(storage: Path) -> None:
    for side in _SIDES:
        storage.with_name(f"{storage.name}{side}").unlink(missing_ok=True)


def _sync(path: Path) -> None:
    if not path.exists() or (path.is_dir() and os.name != "posix"):
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
