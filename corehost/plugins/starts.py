"""Remember across runs whether the last start came to its end."""

from __future__ import annotations

from pathlib import Path


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
