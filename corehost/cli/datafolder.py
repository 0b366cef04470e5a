"""The data folder as processes share it: one host at a time, and a note of where it listens."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from corehost.contract.errors import ConflictError, SettingsError

HOST_FILE = "host.json"
LOCK_FILE = "host.lock"
Undo = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningHost:
    """Where a host listens and how to be let in; ``token`` is an administrator's, for this run."""

    url: str
    token: str = field(repr=False)
    pid: int


class DataFolder:
    """One folder that a host keeps everything in."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> None:
        """Make the folder and its ``plugins/``, for this user only; raises ``SettingsError`` if it cannot be."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.path / "plugins").mkdir(exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"The data folder {self.path} cannot be made: {error.strerror}. "
                "Choose another with --data-dir, COREHOST_DATA_DIR or key 'data_dir'."
            ) from error

    def lock(self) -> Undo:
        """Keep every other host out until the returned function is called, or this process ends in any way.

        Raises ``ConflictError`` if another host has the folder.
        """
        descriptor = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        if not _try_lock(descriptor):
            owner = os.read(descriptor, 20).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise ConflictError(
                f"The data folder {self.path} is in use by another host (process {owner or 'unknown'}). "
                "Stop that one, or give this one a folder of its own with --data-dir."
            )
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        return _once_here(lambda: os.close(descriptor))

    def is_locked(self) -> bool:
        """Tell whether a host has the folder."""
        try:
            descriptor = os.open(self.path / LOCK_FILE, os.O_RDWR)
        except OSError:
            return False
        is_free = _try_lock(descriptor)
        os.close(descriptor)
        return not is_free

    def announce(self, host: RunningHost) -> Undo:
        """Write where *host* listens, readable by this user only; the returned function takes it away."""
        file = self.path / HOST_FILE
        draft = self.path / f"{HOST_FILE}.{os.getpid()}"
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(asdict(host), stream)
        draft.replace(file)  # at once: whoever looks finds the old note, the new one or none, never half of one
        return _once_here(lambda: file.unlink(missing_ok=True))

    def running(self) -> RunningHost | None:
        """Return what the last host announced, ``None`` if it took it away; it may have been killed since."""
        try:
            return RunningHost(**json.loads((self.path / HOST_FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def _once_here(run: Callable[[], object]) -> Undo:
    """Return *run* as an undo that does nothing in a forked child: the folder stays its parent's."""
    owner: list[int] = [os.getpid()]

    def undo() -> None:
        if owner and owner.pop() == os.getpid():
            run()

    return undo


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        # flock, not lockf: a worker forked by the server holds it on, so that a host whose parent was killed
        # still counts as running.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
