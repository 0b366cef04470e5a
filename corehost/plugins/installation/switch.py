"""Change a plugin over to another of its versions in one step, and back."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from corehost.contract.errors import ConflictError
from corehost.contract.manifest import Manifest
from corehost.contract.records import from_json
from corehost.plugins.catalogue import Catalogue
from corehost.plugins.dependencies import dependants_of
from corehost.plugins.fleet import Fleet
from corehost.plugins.grants import Grants
from corehost.plugins.installation.journal import Action, Change, Journal
from corehost.plugins.installation.records import Installed, Record, Records
from corehost.plugins.plans import needed
from corehost.plugins.registry import Plugin, Registry
from corehost.plugins.reloading import Reloading
from corehost.state.database import HostDatabase
from corehost.state.snapshots import copy_back, erase_storage, put_back, take_snapshot

_NOTHING = "nothing"
"""The name of what was left by a first installation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """What the host keeps of installed plugins, and of what they keep."""

    records: Records
    journal: Journal
    storages: Path
    database: HostDatabase
    grants: Grants

    def restore(self, change: Change) -> None:
        """Put the storage back that the version had which is *left*."""
        storage = self.storages / f"{change.id}.db"
        if change.had_storage:
            put_back(self.records.storage(change.id, change.left), storage)
        elif storage.parent.is_dir():
            erase_storage(storage)

    def keep_storage(self, change: Change) -> Change:
        """Copy the storage of the version that goes, and only then note that another may write to it."""
        storage = self.storages / f"{change.id}.db"
        had_storage = take_snapshot(storage, self.records.storage(change.id, change.left))
        noted = replace(change, had_storage=had_storage)
        self.journal.write(noted)
        return noted

    def forget(self, plugin_id: str, *, purge: bool) -> None:
        """Take away what a plugin that was removed left, with *purge* also all that was kept for it."""
        self.database.choices.forget(plugin_id)
        self.grants.forget(plugin_id)
        if purge:
            self.database.forget(plugin_id)
            if self.storages.is_dir():
                erase_storage(self.storages / f"{plugin_id}.db")
        self.records.erase(plugin_id)


class Switch:
    """Works on the life-cycle thread only; whatever fails on the way leaves what was there before."""

    def __init__(
        self,
        *,
        disk: Disk,
        fleet: Fleet,
        catalogue: Catalogue,
        registry: Registry,
        reloading: Reloading,
        safe_mode: bool,
    ) -> None:
        self._disk = disk
        self._fleet = fleet
        self._catalogue = catalogue
        self._registry = registry
        self._reloading = reloading
        self._safe_mode = safe_mode

    def install(self, plugin_id: str, installed: Installed, *, waits: bool) -> None:
        """List a plugin and bring it up; one that *waits* for settings may fail and stays listed."""
        if (other := self._registry.find(plugin_id)) is not None:
            raise ConflictError(f"There is a plugin {plugin_id!r} already: {other.origin}.")
        disk = self._disk
        change = Change(id=plugin_id, action="install", stage="switching", slot=installed.slot, left=_NOTHING)
        change = disk.keep_storage(change)
        try:
            failure = self._list(plugin_id, installed)
            if failure is not None and not waits:
                raise failure
            last = {"action": "install", "at": time.time(), "version": installed.version}
            disk.records.put(Record(id=plugin_id, current=installed, last=last))
        except BaseException:
            self._unlist(plugin_id)
            disk.restore(change)
            disk.records.erase(plugin_id)
            raise
        disk.journal.close(plugin_id)
        disk.records.sweep(plugin_id)

    def upgrade(
        self, plugin: Plugin, installed: Installed, *, action: Action, force: bool, old_storage: bool
    ) -> Change:
        """Change *plugin* over; the change that is returned is on trial if the plugin is live.

        With *old_storage* it gets the storage back that it had when this version was left.
        """
        record = self._record(plugin.id)
        swap = _Swap(self._disk, record, installed, action=action, old_storage=old_storage)
        origin = self._disk.records.origin(plugin.id, installed)
        if plugin.is_enabled:
            self._reloading.replace(plugin, origin, left=swap.begin, back=swap.undo, force=force)
        else:
            self._relist(plugin.id, installed, record.current, swap)
        try:
            swap.commit()
        except OSError:  # no room, for example: what is not on disk must not run
            self._return(swap.change, record, record.last)
            raise
        if plugin_is_live(self._registry, plugin.id):
            on_trial = replace(swap.change, stage="trial")
            # Without this note the next start would know by the record that the new version is on trial.
            with contextlib.suppress(OSError):
                self._disk.journal.write(on_trial)
            return on_trial
        self._disk.journal.close(plugin.id)
        self._disk.records.sweep(plugin.id)
        return swap.change

    def go_back(self, change: Change, reason: str) -> None:
        """Bring the version that *change* left back, with its storage."""
        self._disk.journal.write(replace(change, stage="returning"))
        record = self._record(change.id)
        last = {"action": "return", "at": time.time(), "version": record.current.version, "error": reason}
        self._return(change, record, last)
        self._disk.records.sweep(change.id)

    def keep(self, change: Change) -> None:
        """Note that the version of *change* has passed its trial."""
        self._disk.journal.close(change.id)
        self._disk.records.sweep(change.id)

    def remove(self, plugin: Plugin, *, cascade: bool, purge: bool) -> None:
        """Unload a plugin and take it away; raises ``DependantsError`` without *cascade* if others need it."""
        dependants = self._fleet.dependants(plugin)
        if dependants and not cascade:
            raise needed(plugin.id, dependants)
        disk = self._disk
        disk.journal.write(Change(id=plugin.id, action="remove", stage="removing", purge=purge))
        for name in dependants:
            self._fleet.take_down(self._registry.get(name))
            disk.database.choices.set(name, False)
        self._unlist(plugin.id)
        disk.records.drop(plugin.id)
        disk.forget(plugin.id, purge=purge)

    def _record(self, plugin_id: str) -> Record:
        record = self._disk.records.find(plugin_id)
        if record is None:
            raise ConflictError(f"Plugin {plugin_id!r} was not installed by the host.")
        return record

    def _list(self, plugin_id: str, installed: Installed) -> BaseException | None:
        """List a version of a plugin in place of what is there, and bring it up if it shall be; return what failed."""
        before = self._take_down(plugin_id)
        self._disk.database.choices.remember(plugin_id, installed.manifest)
        origin = self._disk.records.origin(plugin_id, installed)
        for plugin in self._catalogue.list([origin], instead_of=before):
            wanted = self._catalogue.is_wanted(plugin)
            if self._safe_mode or wanted is False:
                return None
            if wanted is None and (error := self._fleet.read(plugin)) is not None:
                return error
            if not self._catalogue.is_wanted(plugin):
                self._fleet.take_down(plugin)
                return None
            return self._fleet.bring_up([plugin]).get(plugin.id)
        return None

    def _unlist(self, plugin_id: str) -> None:
        if self._take_down(plugin_id) is not None:
            self._registry.remove(plugin_id)

    def _take_down(self, plugin_id: str) -> Plugin | None:
        if (plugin := self._registry.find(plugin_id)) is not None:
            self._fleet.take_down(plugin)
        return plugin

    def _relist(self, plugin_id: str, new: Installed, old: Installed, swap: _Swap) -> None:
        """Change over a plugin that does not run; one that failed is tried again with its new code."""
        try:
            swap.begin()
            if (failure := self._list(plugin_id, new)) is not None:
                raise failure
        except BaseException:
            self._take_down(plugin_id)  # it must not write to the storage that is put back
            swap.undo()
            self._list(plugin_id, old)
            raise

    def _return(self, change: Change, record: Record, last: dict[str, Any] | None) -> None:
        old = record.previous if record.current.slot == change.slot else record.current
        assert old is not None  # an upgrade leaves the old one there

        def restore() -> None:
            self._disk.restore(change)
            if record.current != old:
                self._disk.records.put(Record(id=record.id, current=old, last=last))
            # From here on the old version may write to its storage, which must not be put back once more.
            self._disk.journal.close(change.id)

        plugin = self._registry.find(record.id)
        if plugin is None or plugin.status == "disabled":
            restore()
            self._list(record.id, old)
        else:
            origin, manifest = self._disk.records.origin(record.id, old), from_json(Manifest, old.manifest)
            self._reloading.put_back(plugin, origin, manifest, between=restore, others=self._failed_with(plugin))

    def _failed_with(self, plugin: Plugin) -> tuple[str, ...]:
        """Return which failed plugins need this one."""
        failed = {p.id: p.manifest for p in self._registry.all() if p.status == "error" and p.manifest is not None}
        return dependants_of(plugin.id, {**failed, plugin.id: plugin.manifest}) if plugin.manifest else ()


class _Swap:
    """The two halves of a change on disk."""

    def __init__(self, disk: Disk, record: Record, installed: Installed, *, action: Action, old_storage: bool) -> None:
        self._disk = disk
        self._record = record
        self._installed = installed
        self._old_storage = old_storage
        self._begun = False
        self.change = Change(
            id=record.id, action=action, stage="switching", slot=installed.slot, left=record.current.slot
        )

    def begin(self) -> None:
        """Keep the storage as it is, once nobody writes to it any more."""
        self.change = self._disk.keep_storage(self.change)
        self._begun = True
        if self._old_storage:
            kept = self._disk.records.storage(self.change.id, self.change.slot)
            storage = self._disk.storages / f"{self.change.id}.db"
            if kept.is_file():
                copy_back(kept, storage)
            elif storage.parent.is_dir():
                erase_storage(storage)

    def undo(self) -> None:
        """Put the storage back, if it was touched."""
        if self._begun:
            self._disk.restore(self.change)
            self._disk.journal.close(self.change.id)

    def commit(self) -> None:
        """Make the new version the one of the record."""
        current, old = self._installed, self._record.current
        last = {"action": self.change.action, "at": time.time(), "version": current.version, "from": old.version}
        self._disk.records.put(Record(id=self._record.id, current=current, previous=old, last=last))


def plugin_is_live(registry: Registry, plugin_id: str) -> bool:
    """Tell whether a plugin is enabled."""
    plugin = registry.find(plugin_id)
    return plugin is not None and plugin.is_enabled
