"""Do what a job is for, from fetching to the end of the trial."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from corehost.contract.errors import ConflictError, NotFoundError, PluginFaultError
from corehost.contract.manifest import Manifest
from corehost.contract.records import to_json
from corehost.plugins.announcements import Announcements
from corehost.plugins.installation.candidate import Candidate
from corehost.plugins.installation.disk import erase_folder, move_in
from corehost.plugins.installation.fetching import Source
from corehost.plugins.installation.jobs import Job, Jobs
from corehost.plugins.installation.journal import Action, Change
from corehost.plugins.installation.records import Installed, new_slot
from corehost.plugins.installation.staging import Staged, Staging, require_id, require_newer
from corehost.plugins.installation.switch import Disk, Switch
from corehost.plugins.installation.trial import Trial
from corehost.plugins.installation.unpacking import Package
from corehost.plugins.lifecycle import Lifecycle
from corehost.plugins.registry import Registry

T = TypeVar("T")
_END_OF_TRIAL: Final = 60.0
"""Seconds that the end of another job's trial may take."""


class Work:
    """Runs on the threads of jobs; plugins are changed on the life-cycle thread only, in one step each."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        disk: Disk,
        registry: Registry,
        lifecycle: Lifecycle,
        switch: Switch,
        staging: Staging,
        trial: Trial,
        announce: Announcements,
    ) -> None:
        self._jobs = jobs
        self._disk = disk
        self._registry = registry
        self._lifecycle = lifecycle
        self._switch = switch
        self._staging = staging
        self._trial = trial
        self._announce = announce
        self._stopped = threading.Event()

    def install(self, job: Job, source: Source, *, force: bool) -> None:
        """Install what *source* holds."""
        job.reach("fetching")
        with self._staging.folder() as folder:
            package = self._staging.unpacked(source, folder)
            self._begin_install(job, package.plugin_id)
            staged = self._tried(job, package, source, folder)
            candidate = staged.candidate
            if candidate.manifest.id != job.plugin_id:  # only its code could tell
                self._begin_install(job, candidate.manifest.id)
            self._staging.require_free(package, candidate.manifest.id)
            self._staging.require_wanted(candidate, None, force=force)
            self._in_place(job, staged, source, lambda new: self._installed(candidate, new))

    def upgrade(self, job: Job, source: Source, *, force: bool) -> None:
        """Change the job's plugin over to what *source* holds, and watch it."""
        job.reach("fetching")
        with self._staging.folder() as folder:
            package = self._staging.unpacked(source, folder)
            if package.manifest is not None:
                self._require_upgrade(job, package.manifest, force)
            self._staging.require_free(package, str(job.plugin_id))
            staged = self._tried(job, package, source, folder)
            self._require_upgrade(job, staged.candidate.manifest, force)
            self._staging.require_wanted(staged.candidate, self._registry.get(str(job.plugin_id)), force=force)
            change = self._in_place(
                job, staged, source, lambda new: self._switched(job, new, "upgrade", force=force, old_storage=False)
            )
        self._watch(job, change)

    def roll_back(self, job: Job, old: Installed, *, old_storage: bool, force: bool) -> None:
        """Change the job's plugin back to the version that is kept, and watch it."""
        plugin_id = str(job.plugin_id)
        slot = self._disk.records.slot(plugin_id, old.slot)
        if not (slot / old.entry).exists():
            raise NotFoundError(f"Version {old.version} of plugin {plugin_id!r} is gone from {slot}.")
        name = plugin_id.replace("-", "_")
        url = self._disk.records.origin(plugin_id, old).url
        package = Package(folder=slot, entry=old.entry, name=name, module=old.module, manifest=None, url=url)
        storage = self._disk.records.storage(plugin_id, old.slot) if old_storage else None
        with self._staging.folder() as folder:
            staged = self._tried(job, package, Source(text=old.source), folder, storage)
            self._staging.require_wanted(staged.candidate, self._registry.get(plugin_id), force=force)
        job.version = old.version
        job.reach("switching")
        self._watch(job, self._switched(job, old, "rollback", force=force, old_storage=old_storage))

    def remove(self, job: Job, *, cascade: bool, purge: bool) -> None:
        """Remove the job's plugin."""
        job.reach("removing")
        plugin = self._registry.get(str(job.plugin_id))
        job.replaced = plugin.version
        self._lifecycle.change(lambda: self._switch.remove(plugin, cascade=cascade, purge=purge))

    def end_trial(self, job: Job, trial: Job) -> None:
        """Have the version that another job watches give way to the one before."""
        job.plugin_id, job.version, job.replaced = trial.plugin_id, trial.replaced, trial.version
        job.reach("switching")
        trial.come_back.set()
        if not trial.ended.wait(_END_OF_TRIAL) or trial.state == "done":
            raise ConflictError(f"The trial of version {trial.version} was over already. Roll back once more.")

    def go_on(self, job: Job, *, change: Change) -> None:
        """Go on with a trial that the end of the host cut short."""
        plugin = self._registry.find(change.id)
        job.version = plugin.version if plugin else None
        record = self._disk.records.find(change.id)
        job.replaced = record.previous.version if record and record.previous else None
        self._watch(job, change)

    def stop(self) -> None:
        """End all trials without a verdict."""
        self._stopped.set()

    def _begin_install(self, job: Job, plugin_id: str) -> None:
        require_id(plugin_id)
        self._jobs.claim(job, plugin_id)
        other = self._registry.find(plugin_id)
        if other is not None and self._disk.records.find(plugin_id) is not None:
            text = f"Plugin {plugin_id!r} {other.version} is installed already."
            raise ConflictError(f"{text} Use 'corehost plugin upgrade {plugin_id}'.")
        if other is not None:
            raise ConflictError(f"The id {plugin_id!r} is taken by a plugin of this host: {other.origin}.")

    def _require_upgrade(self, job: Job, manifest: Manifest, force: bool) -> None:
        plugin_id = str(job.plugin_id)
        if manifest.id != plugin_id:
            raise ConflictError(f"That is the plugin {manifest.id!r} and not {plugin_id!r}. Install it as such.")
        require_newer(plugin_id, manifest.version, self._registry.get(plugin_id).version, force=force)

    def _tried(self, job: Job, package: Package, source: Source, folder: Path, storage: Path | None = None) -> Staged:
        job.reach("trying")
        return self._staging.tried(package, str(job.plugin_id), source.text, folder, storage=storage)

    def _in_place(self, job: Job, staged: Staged, source: Source, switch: Callable[[Installed], T]) -> T:
        """Move the code to where it will run from, then *switch*; if that fails, nothing refers to it."""
        manifest, package = staged.candidate.manifest, staged.package
        job.version = manifest.version
        job.reach("switching")
        slot = self._disk.records.slot(manifest.id, name := new_slot(manifest.version))
        installed = Installed(
            version=manifest.version,
            slot=name,
            entry=package.entry,
            module=package.module,
            source=source.text,
            at=time.time(),
            manifest=to_json(manifest),
        )
        try:
            move_in(package.folder, slot)
            return switch(installed)
        except BaseException:
            record = self._disk.records.find(manifest.id)
            if record is None or record.current.slot != name:
                erase_folder(slot)
            raise

    def _installed(self, candidate: Candidate, new: Installed) -> None:
        self._lifecycle.change(lambda: self._switch.install(candidate.manifest.id, new, waits=candidate.waits))

    def _switched(self, job: Job, new: Installed, action: Action, *, force: bool, old_storage: bool) -> Change:
        plugin = self._registry.get(str(job.plugin_id))
        job.replaced = plugin.version
        change = self._lifecycle.change(
            lambda: self._switch.upgrade(plugin, new, action=action, force=force, old_storage=old_storage)
        )
        self._announce.upgraded(change.id, job.version, job.replaced)
        return change

    def _watch(self, job: Job, change: Change) -> None:
        """Watch a new version, and bring the old one back if it fails; whatever is said names both."""
        if change.stage != "trial":
            return
        job.reach("watching")
        reason = self._trial.watch(change.id, str(job.version), come_back=job.come_back, stopped=self._stopped)
        if self._stopped.is_set():
            return  # the next start goes on with it
        if reason is None:
            self._lifecycle.change(lambda: self._switch.keep(change))
            return
        self._lifecycle.change(lambda: self._switch.go_back(change, reason))
        self._announce.returned(change.id, job.replaced, job.version, reason)
        text = f"{reason} Version {job.replaced} of plugin {change.id!r} and its storage are back."
        raise PluginFaultError(text, plugin_id=change.id)
