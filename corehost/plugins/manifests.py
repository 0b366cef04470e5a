"""Read a plugin's manifest, beside its code or from it, and check that this host can run it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from corehost import __version__
from corehost.contract.errors import Fault, MalformedError, ManifestError, NotAllowedError
from corehost.contract.manifest import Manifest
from corehost.contract.records import faults_of, from_json, joint_faults, to_json
from corehost.contract.versions import satisfies
from corehost.plugins.sources import Origin

MAX_BYTES = 1_000_000
_BROKEN = "The manifest breaks the contract."


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in the file *path*; raises ``ManifestError`` or ``MalformedError`` with every fault."""
    return parse_manifest(path.read_bytes(), path.name)


def parse_manifest(data: bytes, what: str) -> Manifest:
    """Return the manifest in *data*, the JSON text of *what*."""
    if len(data) > MAX_BYTES:
        raise ManifestError(f"{what} has {len(data)} bytes, at most {MAX_BYTES} are read.")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"{what} is no JSON: {error}.") from error
    manifest = from_json(Manifest, value)
    if faults := joint_faults(manifest):
        raise ManifestError(_BROKEN, faults)
    return manifest


def checked_manifest(value: Any) -> Manifest:
    """Return *value* if it is a manifest without faults."""
    if not isinstance(value, Manifest):
        raise ManifestError(f"'corehost_manifest' must return a Manifest, not {_kind(value)}.")
    if faults := faults_of(value):
        raise ManifestError(_BROKEN, faults)
    return value


def agreed_manifest(beside: Manifest | None, from_code: Any, origin: Origin) -> Manifest:
    """Return the one manifest of a plugin that may have it beside its code, in its code, or both."""
    if beside is None and from_code is None:
        raise ManifestError(f"The plugin {origin.name!r} has no manifest. Implement 'corehost_manifest'.")
    manifest = checked_manifest(from_code) if from_code is not None else beside
    assert manifest is not None
    if beside is not None and (faults := list(_differences(beside, manifest))):
        raise ManifestError("manifest.json and 'corehost_manifest' differ. Make them equal or drop one.", faults)
    require_name(manifest, origin)
    return beside or manifest


def require_name(manifest: Manifest, origin: Origin) -> None:
    """Raise ``ManifestError`` unless a plugin's module is named as its id; installed packages are free."""
    expected = manifest.id.replace("-", "_")
    is_held = origin.kind in ("builtin", "local") or (origin.managed and origin.module is None)
    if is_held and expected != origin.name:
        text = f"The plugin {manifest.id!r} lies in {origin.name!r}. Name the file or folder {expected!r}."
        raise ManifestError(text, [Fault(path="/id", message=f"Does not fit the name {origin.name!r}.")])


def require_runnable(manifest: Manifest, *, is_isolated: bool = False) -> None:
    """Raise ``ManifestError`` if this host's version or Python packages do not suffice for the plugin.

    Raises ``NotAllowedError`` for a plugin that must run in a process of its own and would run in ours.
    """
    if manifest.isolation == "process" and not is_isolated:
        text = f"Plugin {manifest.id!r} asks for isolation 'process', which only its code says: too late to isolate it."
        raise NotAllowedError(f"{text} Write a manifest.json beside the code, or name it with --isolate.")
    if faults := [*_version_faults(manifest), *_package_faults(manifest)]:
        raise ManifestError(f"Plugin {manifest.id!r} cannot run here.", faults)


def _differences(beside: Manifest, from_code: Manifest) -> Iterator[Fault]:
    left, right = to_json(beside), to_json(from_code)
    for name in sorted({*left, *right} - {"contributes"}):  # which "corehost plugin build" writes into the file only
        if left.get(name) != right.get(name):
            yield Fault(path=f"/{name}", message=f"{left.get(name)!r} in the file, {right.get(name)!r} in the code.")


def _version_faults(manifest: Manifest) -> Iterator[Fault]:
    if manifest.corehost is not None and not satisfies(__version__, manifest.corehost):
        yield Fault(path="/corehost", message=f"Needs corehost {manifest.corehost}; this is {__version__}.")


def _package_faults(manifest: Manifest) -> Iterator[Fault]:
    for index, text in enumerate(manifest.requires):
        if problem := package_problem(text):
            yield Fault(path=f"/requires/{index}", message=problem)


def package_problem(text: str) -> str | None:
    """Return why this environment does not meet the requirement *text* (PEP 508), or ``None``."""
    try:
        wanted = Requirement(text)
    except InvalidRequirement as error:
        return f"{text!r} is no requirement by PEP 508: {str(error).splitlines()[0]}."
    if wanted.marker is not None and not wanted.marker.evaluate():
        return None
    try:
        found = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return f"The Python package {wanted.name!r} is not installed. Run 'pip install {text!r}'."
    if not wanted.specifier.contains(found, prereleases=True):
        return f"The Python package {wanted.name!r} must be {wanted.specifier}, found {found}."
    return None


def _kind(value: Any) -> str:
    return f"a {type(value).__name__}"
