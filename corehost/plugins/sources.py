"""Find out where plugins lie: built in, in folders, installed as packages."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

ENTRY_POINTS = "corehost.plugins"
MANIFEST = "manifest.json"
Kind = Literal["builtin", "local", "installed", "external"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a plugin comes from.

    ``name`` is that of its module, ``path`` its file or package folder where one is known, ``module`` the name
    under which a builtin or installed one is imported, ``url`` where an external one is fetched from. A ``managed``
    one was installed by the host itself, which can therefore upgrade and remove it.
    """

    kind: Kind
    name: str
    path: Path | None = None
    module: str | None = None
    url: str | None = None
    managed: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.url or self.path or self.module}"

    @property
    def plugin_id(self) -> str:
        """The id that a plugin of this name should have; what it is listed under until its manifest was read."""
        return self.name.replace("_", "-")

    @property
    def folder(self) -> Path | None:
        """The package's folder, ``None`` for a single file or one that is not known."""
        return self.path if self.path is not None and self.path.is_dir() else None

    @property
    def manifest_path(self) -> Path | None:
        """The manifest beside the code, if there is one."""
        path = None if self.path is None else self.path / MANIFEST
        return path if path is not None and path.is_file() else None  # below a single file there is none

    def to_json(self) -> dict[str, Any]:
        """Return the specification's ``PluginSource``: ``type`` with ``path`` or ``url``."""
        if self.url is not None:
            return {"type": self.kind, "url": self.url}
        is_named = self.kind in ("builtin", "installed") and not self.managed
        return {"type": self.kind, "path": self.module if is_named else str(self.path)}


def packed(origin: Origin) -> dict[str, Any]:
    """Return *origin* in JSON's types, for another process of this host."""
    path = None if origin.path is None else str(origin.path)
    return {**asdict(origin), "path": path}


def unpacked(data: dict[str, Any]) -> Origin:
    """Return the origin that *data* was made of."""
    return Origin(**{**data, "path": None if data["path"] is None else Path(data["path"])})


def builtin_origins(package: str) -> list[Origin]:
    """Return the packages below *package*, sorted by name."""
    spec = importlib.util.find_spec(package)
    origins = []
    for location in (spec.submodule_search_locations or ()) if spec else ():
        for found in pkgutil.iter_modules([location]):
            path = Path(location) / (found.name if found.ispkg else f"{found.name}.py")
            origins.append(Origin(kind="builtin", name=found.name, path=path, module=f"{package}.{found.name}"))
    return sorted(origins, key=lambda origin: origin.name)


def local_origins(folders: Iterable[Path]) -> list[Origin]:
    """Return every module and package in *folders*, by folder, then name; a folder that is missing is empty.

    A package's folder or a file may be named with ``-`` in place of ``_``.
    """
    return [_local(*found) for folder in folders for found in _candidates(folder)]


def installed_origins() -> list[Origin]:
    """Return the plugins that installed distributions announce as entry points, sorted by name."""
    found = importlib.metadata.entry_points(group=ENTRY_POINTS)
    return [_installed(point) for point in sorted(found, key=lambda point: (point.name, point.value))]


def _candidates(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield name and path of what can be a plugin.

    Folders are looked at each second: of a file nothing is asked that the listing tells.
    """
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.name.startswith((".", "_")):
            continue
        if entry.name.endswith(".py") and entry.is_file():
            yield entry.name.removesuffix(".py"), entry.path
        elif entry.is_dir() and any(Path(entry, name).is_file() for name in ("__init__.py", MANIFEST)):
            yield entry.name, entry.path


@functools.lru_cache(maxsize=10_000)  # a value: one that is the same as before is known without comparing its parts
def _local(name: str, path: str) -> Origin:
    return Origin(kind="local", name=name.replace("-", "_"), path=Path(path))


def _installed(point: importlib.metadata.EntryPoint) -> Origin:
    path = None
    if "." not in point.module:  # to find a nested module would import its parents
        spec = importlib.util.find_spec(point.module)
        file = Path(spec.origin) if spec and spec.origin and spec.has_location else None
        path = file.parent if file and file.name == "__init__.py" else file
    return Origin(kind="installed", name=point.name.replace("-", "_"), path=path, module=point.value)
