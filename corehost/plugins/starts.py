"""Remember across runs whether the last start came to its end, and judge how the last run ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from corehost.plugins.culprits import Culprit, Culprits
from corehost.plugins.lastwords import read_last_words
from corehost.plugins.sources import Origin


class StartMark:
    """A file that lies in the data folder while plugins are loaded for the first time.

    ``is_left_over``: the process of the last start ended before that was done, so one of the plugins may have ended it.
    """

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / "starting"
        self.is_left_over = self._file.exists()

    def set(self) -> None:
        """Say that a start is under way."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.touch()

    def clear(self) -> None:
        """Say that it came to its end."""
        self._file.unlink(missing_ok=True)


class Starts:
    """What this start must know of the last run.

    If a plugin ended the process, it alone stays off, when that was known to be it. If that is not known and the last
    start did not finish, ``is_safe``: only built-in plugins may be loaded.
    """

    def __init__(self, data_dir: Path, origins: Callable[[], Iterable[Origin]], culprits: Culprits) -> None:
        self._log = structlog.get_logger("corehost.plugins")
        self._mark = StartMark(data_dir)
        self._words = read_last_words(data_dir)
        self._culprit: Culprit | None = None
        if self._words is not None:
            self._culprit = culprits.find(self._words, origins())
        self.is_safe = self._mark.is_left_over and self._culprit is None

    def begin(self) -> None:
        """Say in the log how the last run ended, and that a start is under way."""
        if self._culprit is not None:
            self._log.error("a plugin ended the host", plugin=self._culprit.plugin_id, reason=self._culprit.reason)
        elif self._words is not None:
            stack = [str(frame) for frame in self._words.stack]
            self._log.error("the host died, by no plugin that is known", cause=self._words.cause, at=stack)
        if self.is_safe:
            text = (
                "the last start did not finish: safe mode, only built-in plugins are loaded; the next start is normal"
            )
            self._log.warning(text)
        self._mark.set()

    def end(self) -> None:
        """Say that the start came to its end."""
        self._mark.clear()
