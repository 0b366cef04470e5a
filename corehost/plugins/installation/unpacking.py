"""Lay out what was fetched as one plugin's code, believing nothing that it says of itself."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from corehost.contract.errors import ConflictError, InvalidError, TooLargeError
from corehost.contract.manifest import Manifest
from corehost.plugins.archives import MAX_MEMBERS, MAX_UNPACKED, unpack_members
from corehost.plugins.external import MAX_ARCHIVE
from corehost.plugins.installation.fetching import Fetched
from corehost.plugins.installation.wheels import read_wheel, require_fitting
from corehost.plugins.manifests import read_manifest
from corehost.plugins.sources import MANIFEST, Origin

_LEFT_OUT = frozenset({"__pycache__", "node_modules"})
_VERSION_TAIL = re.compile(r"[-_]v?\d.*$")


def managed_origin(name: str, path: Path, module: str | None, url: str | None) -> Origin:
    """Return the origin of what the host installed; what came from elsewhere counts as external, and runs isolated."""
    return Origin(kind="external" if url else "installed", name=name, path=path, module=module, url=url, managed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A plugin's code in a folder of its own: ``entry`` is its file or folder in ``folder``, by the name of ``name``.

    ``module`` is the name under which a wheel's module is imported; ``manifest`` is the one beside the code; ``url`` is
    where it was fetched from, if it came from elsewhere.
    """

    folder: Path
    entry: str
    name: str
    module: str | None
    manifest: Manifest | None
    url: str | None = None

    @property
    def origin(self) -> Origin:
        """Where it lies, as long as it is not installed."""
        return managed_origin(self.name, self.folder / self.entry, self.module, self.url)

    @property
    def plugin_id(self) -> str:
        """The id that it has by its manifest, or by its name."""
        return self.manifest.id if self.manifest else self.origin.plugin_id


def unpack_fetched(fetched: Fetched, folder: Path) -> Package:
    """Lay *fetched* out in the new *folder*.

    Raises ``InvalidError`` for what holds no plugin, or holds links, and ``TooLargeError``.
    """
    match fetched.kind:
        case "module":
            folder.mkdir(parents=True)
            shutil.copyfile(fetched.path, folder / f"{_module_name(fetched.path.stem)}.py")
            return _package(folder, f"{_module_name(fetched.path.stem)}.py")
        case "folder":
            return _named(copy_folder(fetched.path, folder / "plugin"), fetched.path.name)
        case "zip":
            return _unzipped(fetched.path, folder)
        case "wheel":
            return _unpacked_wheel(fetched.path, folder)


def read_archive(path: Path) -> bytes:
    """Return the bytes of an archive; raises ``TooLargeError``."""
    if path.stat().st_size > MAX_ARCHIVE:
        raise TooLargeError(f"{path.name!r} has {path.stat().st_size:,} bytes, at most {MAX_ARCHIVE:,} are taken.")
    return path.read_bytes()


def copy_folder(source: Path, target: Path) -> Path:
    """Copy a plugin's folder without what is not its own: caches, and what is hidden; returns *target*."""
    left = MAX_UNPACKED
    for count, (file, place) in enumerate(_files(source, target), start=1):
        if file.is_symlink() or not file.is_file():
            raise InvalidError(f"{file} is a link or a device. A plugin's folder may hold files and folders only.")
        left -= file.stat().st_size
        if left < 0 or count > MAX_MEMBERS:
            raise TooLargeError(f"{source} is over {MAX_UNPACKED:,} bytes or {MAX_MEMBERS:,} files.")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
    return target


def _files(source: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    for path, folders, files in os.walk(source):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and not name.startswith("."))
        for name in (*files, *(name for name in folders if (Path(path) / name).is_symlink())):
            if not name.startswith("."):
                yield Path(path) / name, target / Path(path).relative_to(source) / name


def _unzipped(archive: Path, folder: Path) -> Package:
    """Find the plugin in an archive: at its root, as external plugins have it, or in its one folder."""
    raw = folder / "raw"
    unpack_members(read_archive(archive), raw)
    entries = list(raw.iterdir())
    if _is_package(raw):
        return _named(raw, _VERSION_TAIL.sub("", archive.stem))
    if len(entries) == 1 and entries[0].is_dir() and _is_package(entries[0]):
        return _named(entries[0], entries[0].name)
    text = f"The archive {archive.name!r} holds no plugin: neither '{MANIFEST}' nor '__init__.py' at its root."
    raise InvalidError(text)


def _unpacked_wheel(archive: Path, folder: Path) -> Package:
    require_fitting(archive.name)
    unpack_members(read_archive(archive), folder)
    wheel = read_wheel(folder)
    entry = wheel.module if (folder / wheel.module).is_dir() else f"{wheel.module}.py"
    if not (folder / entry).exists():
        raise InvalidError(f"The wheel {archive.name!r} has no module {wheel.module!r} at its root.")
    if _is_taken(wheel.module):
        text = f"The module {wheel.module!r} of {archive.name!r} is installed in this Python already."
        raise ConflictError(f"{text} Uninstall that one, or leave the plugin there.")
    return _package(folder, entry, name=_module_name(wheel.name), module=wheel.module)


def _is_taken(module: str) -> bool:
    """Tell whether Python has a module of this name; what the host itself installed is not on Python's path."""
    return module in sys.stdlib_module_names or PathFinder.find_spec(module) is not None


def _named(path: Path, name: str) -> Package:
    """Give the package at *path* the name of its manifest's id, else that of where it came from."""
    manifest = read_manifest(path / MANIFEST) if (path / MANIFEST).is_file() else None
    entry = _module_name(manifest.id if manifest else name)
    target = path.parent / entry
    if path != target:
        path.replace(target)
    return _package(path.parent, entry)


def _package(folder: Path, entry: str, *, name: str | None = None, module: str | None = None) -> Package:
    beside = folder / entry / MANIFEST
    manifest = read_manifest(beside) if beside.is_file() else None
    return Package(folder=folder, entry=entry, name=name or entry.removesuffix(".py"), module=module, manifest=manifest)


def _is_package(path: Path) -> bool:
    return (path / MANIFEST).is_file() or (path / "__init__.py").is_file()


def _module_name(name: str) -> str:
    found = name.replace("-", "_")
    if not found.isidentifier():
        raise InvalidError(f"{name!r} cannot be a plugin's name. Give it a 'manifest.json', or name it as its id.")
    return found
