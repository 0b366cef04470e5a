"""Put the installer together."""

from __future__ import annotations

from pathlib import Path

from corehost.messaging.bus import Bus
from corehost.plugins.announcements import Announcements
from corehost.plugins.catalogue import Catalogue
from corehost.plugins.faults import Faults
from corehost.plugins.fleet import Fleet
from corehost.plugins.grants import Grants
from corehost.plugins.installation.candidate import Candidate
from corehost.plugins.installation.fetching import is_address
from corehost.plugins.installation.installer import Installer
from corehost.plugins.installation.jobs import Jobs
from corehost.plugins.installation.journal import Journal
from corehost.plugins.installation.records import Records
from corehost.plugins.installation.rehearsal import Rehearsal, RehearsalOptions
from corehost.plugins.installation.staging import Staging
from corehost.plugins.installation.switch import Disk, Switch
from corehost.plugins.installation.trial import Errors, Trial
from corehost.plugins.installation.unpacking import Package
from corehost.plugins.installation.work import Work
from corehost.plugins.installing import ExternalFolder
from corehost.plugins.lifecycle import Lifecycle
from corehost.plugins.options import PluginOptions
from corehost.plugins.registry import Plugin, Registry
from corehost.plugins.reloading import Reloading
from corehost.plugins.upgrades import Upgrades
from corehost.state.database import HostDatabase


def make_installer(
    *,
    data_dir: Path,
    records: Records,
    external: ExternalFolder,
    registry: Registry,
    database: HostDatabase,
    grants: Grants,
    lifecycle: Lifecycle,
    fleet: Fleet,
    catalogue: Catalogue,
    reloading: Reloading,
    faults: Faults,
    announce: Announcements,
    options: PluginOptions,
    safe_mode: bool,
    bus: Bus,
) -> Installer:
    """Return the installer of a host whose data folder is *data_dir*."""
    disk = Disk(
        records=records,
        journal=Journal(records.folder),
        storages=data_dir / "storage",
        database=database,
        grants=grants,
    )
    jobs = Jobs(announce.job)
    rehearsal = Rehearsal(data_dir, registry, _rehearsal_options(options))
    staging = Staging(records, registry, rehearsal, external)
    switch = Switch(
        disk=disk, fleet=fleet, catalogue=catalogue, registry=registry, reloading=reloading, safe_mode=safe_mode
    )
    trial = Trial(
        registry=registry,
        errors_of=lambda plugin_id: _errors(faults, plugin_id),
        seconds=options.trial_seconds,
        most_errors=options.trial_errors,
    )
    work = Work(
        jobs=jobs,
        disk=disk,
        registry=registry,
        lifecycle=lifecycle,
        switch=switch,
        staging=staging,
        trial=trial,
        announce=announce,
    )
    upgrades = Upgrades(registry, fleet, bus, grants)
    installer = Installer(
        disk=disk, jobs=jobs, registry=registry, staging=staging, work=work, upgrades=upgrades, safe_mode=safe_mode
    )

    def admit(package: Package) -> None:
        if package.url is not None and package.manifest is not None:
            grants.require_upgrade(package.manifest, None, from_elsewhere=True)

    def require_consent(candidate: Candidate, running: Plugin | None) -> None:
        grants.require_upgrade(candidate.manifest, running, from_elsewhere=is_address(candidate.source))

    staging.admissions.append(admit)
    installer.add_gate(require_consent)
    installer.add_check(upgrades.refusals)
    return installer


def _rehearsal_options(options: PluginOptions) -> RehearsalOptions:
    return RehearsalOptions(
        seconds=options.rehearsal_seconds,
        hook_seconds=options.hook_seconds,
        builtin_package=options.builtin_package,
        isolated=options.isolated,
        base_paths=options.base_paths,
        external_needs=options.external_needs,
    )


def _errors(faults: Faults, plugin_id: str) -> Errors:
    account = faults.summary(plugin_id)
    last = account["last"] or {}
    return Errors(count=sum(account["errors"].values()), last=str(last.get("error", "")))
