"""Write what a plugin contributes into its manifest.json, as its code declares it."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from corehost.cli.checking import scratch_host
from corehost.contract.errors import InvalidError, ManifestError
from corehost.contract.records import to_json
from corehost.plugins.contributions import contributions_of
from corehost.plugins.sources import MANIFEST


def build_manifest(folder: Path) -> dict[str, Any]:
    """Load the plugin in *folder*, write its manifest.json with all that it contributes, and return that.

    Its code runs. Raises ``InvalidError`` for a single file, ``ManifestError`` for a plugin that cannot be loaded.
    """
    if not folder.is_dir():
        raise InvalidError(f"{folder} is no folder, so {MANIFEST} cannot lie in it. Make it a package.")
    with tempfile.TemporaryDirectory(prefix="corehost-build-") as scratch:
        copy = Path(scratch) / folder.resolve().name
        shutil.copytree(folder, copy)
        beside = _without_contributions(copy / MANIFEST)
        with scratch_host(copy) as (_, plugin):
            if not plugin.is_enabled or plugin.manifest is None:
                raise ManifestError(f"Plugin {plugin.id!r} cannot be loaded, so nothing was written: {plugin.error}")
            built = {**(beside or _short(to_json(plugin.manifest))), "contributes": contributions_of(plugin)}
    (folder / MANIFEST).write_text(json.dumps(built, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return built


def _without_contributions(file: Path) -> dict[str, Any] | None:
    """Take what was built before out of *file*, so that it stands in nobody's way, and return the rest."""
    if not file.is_file():
        return None
    kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    kept.pop("contributes", None)
    file.write_text(json.dumps(kept), encoding="utf-8")
    return kept


def _short(manifest: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in manifest.items() if value not in (None, [], {})}
