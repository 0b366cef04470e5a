"""Note what is being changed, so that the next start can finish it or take it back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from corehost.plugins.installation.disk import erase, read_json, write_json

Action = Literal["install", "upgrade", "rollback", "remove"]
Stage = Literal["switching", "trial", "returning", "removing"]
_FILE = "change.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of a plugin under way.

    ``slot`` is the version that comes, ``left`` the one that goes. ``had_storage``: whether there was a storage
    before, which then is kept under ``left``. ``stage``: ``switching`` until the new version is the one of the record;
    ``trial`` while it is watched; ``returning`` while the old one comes back; ``removing``. ``starts`` counts the
    starts of the host in the trial.
    """

    id: str
    action: Action
    stage: Stage
    slot: str = ""
    left: str = ""
    had_storage: bool = False
    starts: int = 0
    purge: bool = False


class Journal:
    """One file a plugin beside its record, on disk before what it tells of is begun."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, change: Change) -> None:
        """Note *change*, in place of what was noted of its plugin."""
        write_json(self._file(change.id), asdict(change))

    def close(self, plugin_id: str) -> None:
        """Note that the plugin's change is done."""
        erase(self._file(plugin_id))

    def open_changes(self) -> Iterator[Change]:
        """Yield the changes that did not come to their end, by plugin id."""
        for file in sorted(self._folder.glob(f"*/{_FILE}")):
            if (data := read_json(file)) is not None:
                yield Change(**data)

    def _file(self, plugin_id: str) -> Path:
        return self._folder / plugin_id / _FILE
