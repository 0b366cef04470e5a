"""Try a version of a plugin in a process of its own, against a copy of what the host keeps of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from corehost.contract.errors import DependencyError, Fault, InvalidError, LateError
from corehost.contract.manifest import Manifest
from corehost.contract.records import from_json
from corehost.plugins.dependencies import needs_of
from corehost.plugins.installation.candidate import Candidate
from corehost.plugins.installation.disk import read_json, write_json
from corehost.plugins.installation.unpacking import Package
from corehost.plugins.registry import Registry
from corehost.plugins.signing.proof import PIN_OR_SIGNATURE, Needs
from corehost.plugins.sources import packed
from corehost.state.snapshots import take_snapshot

PROGRAM: Final = "corehost.cli.rehearsal"
"""What runs in the other process; a name only, as it stands above this layer."""
_TOLD: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalOptions:
    """How the other process hosts plugins; ``seconds`` is for all of it."""

    seconds: float = 120.0
    hook_seconds: float = 10.0
    builtin_package: str | None = "builtin_plugins"
    isolated: frozenset[str] = frozenset()
    base_paths: Mapping[str, str]
    external_needs: Needs = PIN_OR_SIGNATURE


class Rehearsal:
    """Runs versions on a scratch host: with the plugins that they need, and a copy of their storage and settings."""

    def __init__(self, data_dir: Path, registry: Registry, options: RehearsalOptions) -> None:
        self._data_dir = data_dir
        self._registry = registry
        self._options = options

    def run(
        self, package: Package, plugin_id: str, source: str, folder: Path, *, storage: Path | None = None
    ) -> Candidate:
        """Import, set up and test *package* for *plugin_id*, all below the new *folder*, and tell what it declared.

        Raises ``InvalidError`` with every fault, ``LateError`` for one that is not done in time.
        """
        data = folder / "data"
        data.mkdir(parents=True)
        self._copy_state(storage or self._data_dir / "storage" / f"{plugin_id}.db", plugin_id, data)
        report = folder / "report.json"
        write_json(folder / "order.json", self._order(package, plugin_id, data, report))
        said = self._run_program(folder / "order.json", plugin_id)
        found = read_json(report)
        if found is None:
            raise InvalidError(f"The new code of {plugin_id!r} ended the process in which it was tried. {said}".strip())
        if found["faults"]:
            faults = [Fault(path=fault["path"], message=fault["message"]) for fault in found["faults"]]
            raise InvalidError(f"The new code of {plugin_id!r} does not hold, tried in a process of its own.", faults)
        return Candidate(
            manifest=from_json(Manifest, found["manifest"]),
            contracts=found["contracts"],
            origin=package.origin,
            source=source,
            waits=found["waits"],
        )

    def _copy_state(self, storage: Path, plugin_id: str, data: Path) -> None:
        take_snapshot(self._data_dir / "host.db", data / "host.db")
        take_snapshot(storage, data / "storage" / f"{plugin_id}.db")
        key = self._data_dir / "secret.key"
        if key.is_file():
            with os.fdopen(os.open(data / key.name, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as copy:
                copy.write(key.read_bytes())

    def _order(self, package: Package, plugin_id: str, data: Path, report: Path) -> dict[str, Any]:
        options = self._options
        return {
            "data": str(data),
            "report": str(report),
            "plugin": plugin_id,
            "candidate": packed(package.origin),
            "others": [packed(self._registry.get(name).origin) for name in self._needs(package, plugin_id)],
            "builtin_package": options.builtin_package,
            "hook_seconds": options.hook_seconds,
            "isolated": sorted(options.isolated),
            "base_paths": dict(options.base_paths),
            "external_needs": options.external_needs,
        }

    def _needs(self, package: Package, plugin_id: str) -> list[str]:
        """Return which plugins that are not built in the new version needs, as far as its manifest can be read."""
        known = self._registry.manifests()
        manifest = package.manifest or known.get(plugin_id)
        if manifest is None:  # only its code can tell: it may need any of them
            found = {plugin.id for plugin in self._registry.enabled()}
        else:
            found = set(needs_of(plugin_id, {**known, plugin_id: manifest}))
            _require_known(manifest, known)
        others = (self._registry.find(name) for name in sorted(found - {plugin_id}))
        return [other.id for other in others if other is not None and other.origin.kind not in ("builtin", "external")]

    def _run_program(self, order: Path, plugin_id: str) -> str:
        """Run the program until it has written its report; return the end of what it said."""
        environment = {key: value for key, value in os.environ.items() if key != "COREHOST_TOKEN"}
        log = order.with_name("log.txt")
        with log.open("wb") as sink:
            process = subprocess.Popen(  # noqa: S603  # our own interpreter and our own code
                [sys.executable, "-m", PROGRAM, str(order)],
                env=environment,
                cwd=order.parent,
                stdin=subprocess.PIPE,  # it ends when this is closed, so none outlives a host that was killed
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        try:
            process.wait(self._options.seconds)
        except subprocess.TimeoutExpired:
            text = f"The new code of {plugin_id!r} was tried for {self._options.seconds:g} s, and was not done."
            raise LateError(text) from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # with whatever the plugin has started
            process.wait()
            assert process.stdin is not None
            process.stdin.close()
        return log.read_bytes()[-_TOLD:].decode(errors="replace").strip()


def _require_known(manifest: Manifest, known: Mapping[str, Manifest]) -> None:
    missing = [d for d in manifest.dependencies if not d.optional and d.plugin_id not in known]
    if missing:
        listed = ", ".join(f"{d.plugin_id} {d.version}" for d in missing)
        raise DependencyError(f"Plugin {manifest.id!r} needs {listed}, which is not installed. Install that first.")
