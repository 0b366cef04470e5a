"""Know which plugins the host has installed, and which version of each is in use."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from corehost.contract.manifest import id_fault
from corehost.plugins.installation.disk import erase, erase_folder, read_json, sync_folder, write_json
from corehost.plugins.installation.fetching import is_address
from corehost.plugins.installation.unpacking import managed_origin
from corehost.plugins.sources import Origin

RECORD = "record.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """One version on disk.

    ``slot`` is its folder below ``versions/``, ``entry`` the plugin's file or folder in there, ``module`` the name
    under which a wheel's module is imported, ``source`` what it was installed from, ``at`` when (Unix time),
    ``manifest`` its manifest as JSON, which otherwise only its code may tell.
    """

    version: str
    slot: str
    entry: str
    module: str | None
    source: str
    at: float
    manifest: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is installed of one plugin: the version in use, the one before it, and what came of the last change."""

    id: str
    current: Installed
    previous: Installed | None = None
    last: dict[str, Any] | None = None


class Records:
    """``<data>/installed/``: for each plugin a folder with its record, its versions and their storages.

    The record is replaced at once and decides alone what runs: a folder that it does not name is rubbish.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def origins(self) -> list[Origin]:
        """Return where the installed plugins lie, by id."""
        return [self.origin(record.id, record.current) for record in self.all()]

    def all(self) -> Iterator[Record]:
        """Yield the records, by id."""
        for file in sorted(self.folder.glob(f"*/{RECORD}")):
            if (record := self.find(file.parent.name)) is not None:
                yield record

    def find(self, plugin_id: str) -> Record | None:
        """Return the record of a plugin, ``None`` if the host did not install it."""
        if id_fault(plugin_id):
            return None
        data = read_json(self.place(plugin_id) / RECORD)
        if data is None:
            return None
        previous = data["previous"]
        kept = None if previous is None else Installed(**previous)
        return Record(id=data["id"], current=Installed(**data["current"]), previous=kept, last=data["last"])

    def put(self, record: Record) -> None:
        """Make *record* what holds: the moment at which a change is done."""
        write_json(self.place(record.id) / RECORD, asdict(record))

    def drop(self, plugin_id: str) -> None:
        """Take the record away: the moment at which the plugin is removed."""
        erase(self.place(plugin_id) / RECORD)

    def erase(self, plugin_id: str) -> None:
        """Take all away that is kept of a plugin, apart from its storage in use."""
        erase_folder(self.place(plugin_id))
        sync_folder(self.folder)

    def sweep(self, plugin_id: str) -> None:
        """Take away the versions of a plugin, and their storages, that its record does not name."""
        record = self.find(plugin_id)
        kept = {version.slot for version in (record.current, record.previous) if version} if record else set()
        for slot in _entries(self.place(plugin_id) / "versions"):
            if slot.name not in kept:
                erase_folder(slot)
        for storage in _entries(self.place(plugin_id) / "storage"):
            if storage.stem not in kept:
                storage.unlink(missing_ok=True)

    def place(self, plugin_id: str) -> Path:
        """Return the folder of a plugin; the id must be one."""
        return self.folder / plugin_id

    def slot(self, plugin_id: str, slot: str) -> Path:
        """Return the folder of one version of a plugin."""
        return self.place(plugin_id) / "versions" / slot

    def storage(self, plugin_id: str, slot: str) -> Path:
        """Return where a plugin's storage is kept as it was when this version was left."""
        return self.place(plugin_id) / "storage" / f"{slot}.db"

    def origin(self, plugin_id: str, installed: Installed) -> Origin:
        """Return where the code of an installed version lies."""
        path = self.slot(plugin_id, installed.slot) / installed.entry
        name = plugin_id.replace("-", "_")
        url = installed.source if is_address(installed.source) else None
        return managed_origin(name, path, installed.module, url)


def new_slot(version: str) -> str:
    """Return a name for the folder of *version* that no other has: a version may be installed again."""
    return f"{re.sub('[^0-9A-Za-z.-]', '_', version)[:60]}_{secrets.token_hex(4)}"


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
