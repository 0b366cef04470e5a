"""Finish or take back what was under way when the host ended, before any plugin is loaded."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final

import structlog

from corehost.plugins.installation.disk import erase_folder
from corehost.plugins.installation.journal import Change
from corehost.plugins.installation.records import Record
from corehost.plugins.installation.switch import Disk

STAGING: Final = ".staging"
_MOST_STARTS: Final = 2
"""A version on trial at this many starts is taken for what ended the host."""


class Recovery:
    """Leaves every plugin at its old version or at its new one, whole; it may itself be cut short and repeated."""

    def __init__(self, disk: Disk) -> None:
        self._log = structlog.get_logger("corehost.plugins")
        self._disk = disk

    def run(self) -> list[Change]:
        """Clean up, and return the changes that go on: those whose new version is on trial."""
        trials = [change for change in map(self._settle, self._disk.journal.open_changes()) if change is not None]
        erase_folder(self._disk.records.folder / STAGING)
        for folder in self._disk.records.folder.glob("*/"):
            if self._disk.records.find(folder.name) is None:
                self._disk.records.erase(folder.name)
            else:
                self._disk.records.sweep(folder.name)
        return trials

    def _settle(self, change: Change) -> Change | None:
        record = self._disk.records.find(change.id)
        match change.stage:
            case "removing":
                if record is None:
                    self._disk.forget(change.id, purge=change.purge)
                else:
                    self._disk.journal.close(change.id)
            case "switching" if record is None or record.current.slot != change.slot:
                self._take_back(change, record, f"The host ended during the {change.action}.")
            case "returning":
                self._take_back(change, record, "The host ended while it was taken back.")
            case _ if record is None or record.current.slot != change.slot or change.action == "install":
                self._disk.journal.close(change.id)
            case _ if change.starts + 1 >= _MOST_STARTS:
                self._take_back(change, record, "The host ended twice while this version was on trial.")
            case _:
                return self._tried_again(change)
        return None

    def _tried_again(self, change: Change) -> Change:
        again = replace(change, stage="trial", starts=change.starts + 1)
        self._disk.journal.write(again)
        self._log.warning("plugin is on trial again", plugin=change.id, reason="the host ended during its trial")
        return again

    def _take_back(self, change: Change, record: Record | None, reason: str) -> None:
        self._log.warning("plugin change taken back", plugin=change.id, action=change.action, reason=reason)
        if change.stage != "returning":
            self._disk.journal.write(replace(change, stage="returning"))
        self._disk.restore(change)
        if record is not None:
            is_new = record.current.slot == change.slot
            old = record.previous if is_new and record.previous is not None else record.current
            before = None if is_new else record.previous
            last = {"action": "return", "at": time.time(), "version": record.current.version, "error": reason}
            self._disk.records.put(replace(record, current=old, previous=before, last=last))
        self._disk.journal.close(change.id)
