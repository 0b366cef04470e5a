"""Let a process that is about to die write down what it was doing, for the next start to read."""

from __future__ import annotations

import faulthandler
import os
import re
import sys
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO

FILE = "last-words"
RESERVED = frozenset({3, 4})
"""Exit codes by which a worker tells gunicorn not to start another."""
_OTHER = 70
_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+) in (?P<name>.*)$')
_MOST = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A line of the stack in which the process died."""

    file: str
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastWords:
    """How a process died, when, by ``time.time``, and its thread's stack, innermost first."""

    cause: str
    at: float
    stack: tuple[Frame, ...]


def read_last_words(data_dir: Path) -> LastWords | None:
    """Return what the last process on *data_dir* wrote when it died, ``None`` if it ended well or without a word."""
    file = data_dir / FILE
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            text, at = opened.read(_MOST), file.stat().st_mtime
    except OSError:
        return None
    cause, _, rest = text.partition("\n")
    if not cause.strip():
        return None
    # A fault in a thread that runs no Python leaves a head without lines; other threads are not written down.
    found = (_FRAME.match(line) for line in rest.splitlines())
    frames = (Frame(file=m["file"], line=int(m["line"]), name=m["name"]) for m in found if m is not None)
    return LastWords(cause=cause.strip().removeprefix("Fatal Python error: "), at=at, stack=tuple(frames))


class LastWordsWriter:
    """While it is open, a crash and an ``os._exit`` of this process leave a file in *data_dir*.

    The fault handler of Python writes it, in a process whose memory may be in ruins; nothing is done beforehand, so
    that it costs nothing. Children that a plugin forks keep silent.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE
        self._file: TextIO | None = None
        self._pid = 0
        self._real_exit = os._exit

    def open(self) -> None:
        """Be ready; what the last process wrote is gone then."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("w", encoding="utf-8")
        self._pid = os.getpid()
        faulthandler.enable(self._file, all_threads=False)
        self._real_exit, os._exit = os._exit, self._exit
        silence = weakref.WeakMethod(self._silence)
        os.register_at_fork(after_in_child=lambda: (found := silence()) is not None and found())

    def close(self) -> None:
        """End well: leave no file."""
        if self._file is None:
            return
        faulthandler.disable()
        if os._exit == self._exit:
            os._exit = self._real_exit
        self._file.close()
        self._file = None
        self._path.unlink(missing_ok=True)

    def _exit(self, status: int) -> NoReturn:
        if self._file is not None and os.getpid() == self._pid and _is_of_others(sys._getframe(1)):
            self._file.seek(0)
            self._file.write(f"os._exit({status!r}) was called\n")
            self._file.flush()
            faulthandler.dump_traceback(self._file, all_threads=False)
            if status in RESERVED:
                status = _OTHER
        self._real_exit(status)
        raise SystemExit(status)  # never reached, for who reads this

    def _silence(self) -> None:
        if self._file is not None:
            faulthandler.disable()


def _is_of_others(frame: object) -> bool:
    """Tell whether code other than the host's server called: gunicorn's worker ends itself by the same way."""
    module = str(getattr(frame, "f_globals", {}).get("__name__", ""))
    return not module.startswith(("corehost.", "gunicorn."))
