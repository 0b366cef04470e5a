"""Install, upgrade, roll back and remove plugins, each as a job that can be followed."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from corehost.contract.errors import ConflictError, NotFoundError
from corehost.plugins.installation.fetching import Source, is_address
from corehost.plugins.installation.jobs import Job, Jobs
from corehost.plugins.installation.journal import Change
from corehost.plugins.installation.records import Record
from corehost.plugins.installation.recovery import Recovery
from corehost.plugins.installation.staging import Check, Gate, Staging, Verify
from corehost.plugins.installation.switch import Disk
from corehost.plugins.installation.work import Work
from corehost.plugins.plans import Plan
from corehost.plugins.registry import Registry
from corehost.plugins.upgrades import Upgrades


class Installer:
    """What the host installs lies in ``<data>/installed``; everything else it refuses to touch.

    Each job fetches, unpacks, tries and only then changes anything, on the life-cycle thread. An upgraded plugin is on
    trial for a while, and its old version comes back with its storage if it fails.
    """

    def __init__(
        self,
        *,
        disk: Disk,
        jobs: Jobs,
        registry: Registry,
        staging: Staging,
        work: Work,
        upgrades: Upgrades,
        safe_mode: bool,
    ) -> None:
        self.jobs = jobs
        self._disk = disk
        self._registry = registry
        self._staging = staging
        self._work = work
        self._upgrades = upgrades
        self._safe_mode = safe_mode
        self._resumed: list[Change] = []

    def add_verifier(self, verify: Verify) -> None:
        """Have *verify* look at all that is fetched, before anything in it is read."""
        self._staging.verifiers.append(verify)

    def add_gate(self, gate: Gate) -> None:
        """Have *gate* asked before a version is used; nothing passes it by force."""
        self._staging.gates.append(gate)

    def add_check(self, check: Check) -> None:
        """Have *check* name what stands in the way of a version, unless it is forced."""
        self._staging.checks.append(check)

    # --- what an operator asks for ---

    def install(self, source: Source, *, force: bool = False) -> Job:
        """Begin to install a plugin that is not there yet; raises ``BusyError``."""
        return self.jobs.begin("install", source.text, lambda job: self._work.install(job, source, force=force))

    def upgrade(self, plugin_id: str, source: Source | None = None, *, force: bool = False) -> Job:
        """Begin to upgrade a plugin, from where it was installed unless *source* says otherwise.

        Raises as ``require_ours`` does, ``ConflictError`` if it is being changed already, and ``BusyError``.
        """
        wanted = source or Source(text=self.source_of(plugin_id))
        self.require_ours(plugin_id)
        return self.jobs.begin(
            "upgrade", wanted.text, lambda job: self._work.upgrade(job, wanted, force=force), plugin_id=plugin_id
        )

    def rollback(self, plugin_id: str, *, storage: bool = False, force: bool = False) -> Job:
        """Begin to bring the version before back, with *storage* also its storage as it was.

        While the present one is on trial its trial ends so, and the storage comes back in any case.
        """
        record = self.require_ours(plugin_id)
        trial = self.jobs.of(plugin_id)
        if trial is not None and trial.step == "watching":
            return self.jobs.begin("rollback", trial.source, lambda job: self._work.end_trial(job, trial))
        if record.previous is None:
            raise NotFoundError(f"No version before {record.current.version} of plugin {plugin_id!r} is kept.")
        old = record.previous
        return self.jobs.begin(
            "rollback",
            old.source,
            lambda job: self._work.roll_back(job, old, old_storage=storage, force=force),
            plugin_id=plugin_id,
        )

    def remove(self, plugin_id: str, *, purge: bool = False, cascade: bool = False) -> Job:
        """Begin to remove a plugin, with *purge* also its storage, settings and what it kept for users."""
        record = self.require_ours(plugin_id)
        return self.jobs.begin(
            "remove",
            record.current.source,
            lambda job: self._work.remove(job, cascade=cascade, purge=purge),
            plugin_id=plugin_id,
        )

    def plan_upgrade(self, plugin_id: str, source: Source | None = None) -> Plan:
        """Try a version as for an upgrade, and return what the upgrade would do now; nothing is changed.

        What waits for consent is not run, so that its contracts are not compared.
        """
        self.require_ours(plugin_id)
        wanted = source or Source(text=self.source_of(plugin_id))
        with self._staging.folder() as folder:
            package = self._staging.unpacked(wanted, folder)
            candidate = self._staging.foreseen(package, plugin_id, wanted.text, folder)
        return self._upgrades.plan(candidate, self._registry.get(plugin_id))

    def source_of(self, plugin_id: str) -> str:
        """Return where an installed plugin came from, without the version that was asked for then."""
        source = self.require_ours(plugin_id).current.source
        # What a pin names is the version that is there; a newer one needs a pin of its own, or a signature.
        return source.partition("#")[0] if is_address(source) else source.partition("==")[0].strip()

    def require_ours(self, plugin_id: str) -> Record:
        """Return the record of a plugin; raises ``NotFoundError``, and ``ConflictError`` for what another installed."""
        record = self._disk.records.find(plugin_id)
        if record is not None:
            return record
        plugin = self._registry.get(plugin_id)
        if plugin.origin.kind == "builtin":
            raise ConflictError(f"Plugin {plugin_id!r} is built in: it comes and goes with corehost itself.")
        raise ConflictError(
            f"Plugin {plugin_id!r} ({plugin.origin}) was not installed by the host. Change it where it lies."
        )

    def describe(self, plugin_id: str) -> dict[str, Any] | None:
        """Return what is installed of a plugin as JSON: ``source``, ``at``, ``previous``, ``last``, ``onTrial``."""
        record = self._disk.records.find(plugin_id)
        if record is None:
            return None
        job = self.jobs.of(plugin_id)
        return {
            "source": record.current.source,
            "at": record.current.at,
            "previous": record.previous.version if record.previous else None,
            "last": record.last,
            "onTrial": job is not None and job.step == "watching",
        }

    # --- around the life of the host ---

    def recover(self) -> None:
        """Finish or take back what was under way when the host ended; call this before any plugin is listed."""
        self._resumed = Recovery(self._disk).run()

    def resume(self) -> None:
        """Go on with the trials that the end of the host cut short; call this when all plugins were loaded.

        In safe mode nothing can be said of them: they wait for the next start.
        """
        if self._safe_mode:
            return
        for change in self._resumed:
            self.jobs.begin("upgrade", "", partial(self._work.go_on, change=change), plugin_id=change.id)

    def stop(self) -> None:
        """End the trials: they go on with the next start, for which this end does not count against them."""
        self._work.stop()
        for change in self._disk.journal.open_changes():
            if change.stage == "trial" and change.starts:
                self._disk.journal.write(replace(change, starts=0))
