"""Bring a version to where it can be used, changing nothing yet."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import semver

from corehost.contract.errors import ConflictError, ConsentNeededError, InvalidError
from corehost.contract.manifest import id_fault
from corehost.plugins.installation.candidate import Candidate
from corehost.plugins.installation.disk import erase_folder
from corehost.plugins.installation.fetching import Fetched, Source, fetch
from corehost.plugins.installation.records import Records
from corehost.plugins.installation.recovery import STAGING
from corehost.plugins.installation.rehearsal import Rehearsal
from corehost.plugins.installation.unpacking import Package, unpack_fetched
from corehost.plugins.installation.wheels import require_packages
from corehost.plugins.installing import ExternalFolder, archive_beside
from corehost.plugins.registry import Plugin, Registry

Verify = Callable[[Fetched, Source], None]
"""Raises unless what was fetched may be believed; called before anything in it is read."""
Admit = Callable[[Package], None]
"""Raises unless the code of a package may be run at all, even if only to try it."""
Gate = Callable[[Candidate, Plugin | None], None]
"""Raises unless a version may be used in place of the running one; *force* does not pass it."""
Check = Callable[[Candidate, Plugin | None], Iterable[str]]
"""Names what stands in the way of a version; *force* passes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A version that was tried; ``package`` lies in a folder that is thrown away."""

    package: Package
    candidate: Candidate


class Staging:
    """Each version gets a folder of its own, for as long as it is looked at."""

    def __init__(self, records: Records, registry: Registry, rehearsal: Rehearsal, external: ExternalFolder) -> None:
        self._records = records
        self._registry = registry
        self._rehearsal = rehearsal
        self._external = external
        self.admissions: list[Admit] = []
        self.verifiers: list[Verify] = []
        self.gates: list[Gate] = []
        self.checks: list[Check] = []

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Give a new folder on the disk of the data folder, which is erased at the end."""
        folder = self._records.folder / STAGING / secrets.token_hex(8)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            erase_folder(folder)

    def unpacked(self, source: Source, folder: Path) -> Package:
        """Return the code that *source* holds, unpacked and checked without running any of it.

        Raises ``InvalidError`` for a reserved id, and for Python packages that are missing here.
        """
        fetched = self._from_elsewhere(source.text, folder) if source.is_address else fetch(source, folder)
        for verify in self.verifiers:
            verify(fetched, source)
        package = unpack_fetched(fetched, folder / "code")
        if source.is_address:
            # Its bytes stay beside it, to be proven again whenever it is loaded.
            shutil.copyfile(fetched.path, archive_beside(package.folder / package.entry))
            package = replace(package, url=source.text)
        require_id(package.plugin_id)
        if package.manifest is not None:
            require_packages(package.plugin_id, package.manifest.requires)
        return package

    def require_free(self, package: Package, plugin_id: str) -> None:
        """Raise ``ConflictError`` if another plugin that the host installed has the same module."""
        for record in self._records.all():
            if package.module is not None and record.current.module == package.module and record.id != plugin_id:
                raise ConflictError(f"The module {package.module!r} is that of plugin {record.id!r}. Rename one.")

    def tried(
        self, package: Package, plugin_id: str, source: str, folder: Path, *, storage: Path | None = None
    ) -> Staged:
        """Run the code in a process of its own and return what it declared; raises with every fault.

        It works on a copy of *storage*, else of the one in use.
        """
        for admit in self.admissions:
            admit(package)
        candidate = self._rehearsal.run(package, plugin_id, source, folder / "rehearsal", storage=storage)
        return Staged(package=package, candidate=candidate)

    def foreseen(self, package: Package, plugin_id: str, source: str, folder: Path) -> Candidate:
        """Return what is known of a version; of one that waits for consent what its manifest tells, not run at all."""
        try:
            return self.tried(package, plugin_id, source, folder).candidate
        except ConsentNeededError:
            if package.manifest is None:
                raise
        return Candidate(manifest=package.manifest, contracts={}, origin=package.origin, source=source, waits=True)

    def require_wanted(self, candidate: Candidate, running: Plugin | None, *, force: bool) -> None:
        """Raise what the gates raise, and ``ConflictError`` with what stands in the way, unless with *force*."""
        for gate in self.gates:
            gate(candidate, running)
        obstacles = [text for check in self.checks for text in check(candidate, running)]
        if obstacles and not force:
            listed = " ".join(obstacles)
            text = f"Version {candidate.manifest.version} of plugin {candidate.manifest.id!r} would break others."
            raise ConflictError(f"{text} {listed} Change those first, or force it.")

    def _from_elsewhere(self, url: str, folder: Path) -> Fetched:
        archive = folder / "fetched.zip"
        archive.write_bytes(self._external.fetch(url))
        return Fetched(path=archive, kind="zip")


def require_id(plugin_id: str) -> None:
    """Raise ``InvalidError`` for what cannot be a plugin's id, or is reserved."""
    if fault := id_fault(plugin_id):
        raise InvalidError(fault)


def require_newer(plugin_id: str, version: str, running: str, *, force: bool) -> None:
    """Raise ``ConflictError`` unless *version* is after *running*, or *force* says that it need not be."""
    if force or not running:
        return
    order = semver.Version.parse(version).compare(running)
    if order == 0:
        raise ConflictError(f"Plugin {plugin_id!r} is at {running} already. Force it to install that anew.")
    if order < 0:
        text = f"Plugin {plugin_id!r} is at {running}, and {version} is older. Force it to go back"
        raise ConflictError(f"{text}, or use 'corehost plugin rollback {plugin_id}'.")
