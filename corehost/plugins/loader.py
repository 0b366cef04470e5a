"""Import a plugin's code, and drop it again."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from pathlib import Path
from types import ModuleType
from typing import Any

from corehost.contract.errors import ManifestError
from corehost.contract.manifest import Manifest
from corehost.plugins.sources import Origin

NAMESPACE = "corehost_plugins"
Undo = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A plugin's code in memory; ``drop`` takes its modules out again.

    ``module`` is ``None`` for a plugin that runs in a process of its own.
    """

    module: ModuleType | None
    folder: Path | None
    drop: Undo = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """Code that was run and is not in use: all its modules by name, and its manifest if that was agreed on before."""

    module: ModuleType
    modules: Mapping[str, ModuleType]
    manifest: Manifest | None = None


class Loader:
    """Imports plugins; local ones below ``corehost_plugins``, so that their folder never enters ``sys.path``.

    In a process *is_new* nothing of a plugin can be left from before, and looking for it would touch every module
    there is: a process that was just forked would copy the memory of all of them.
    """

    def __init__(self, *, is_new: bool = False) -> None:
        self._is_new = is_new
        self._lock = threading.Lock()
        self._finder: PluginFinder | None = None
        self._staged: dict[Origin, Staged] = {}

    def load(self, origin: Origin) -> Imported:
        """Run the plugin's module and return it; what it raises passes through, after its modules were dropped.

        What was staged is used as it is: it has been run already.
        """
        name = _name_of(origin)
        if (staged := self._staged.pop(origin, None)) is not None:
            _drop_all(name, modules_below(name))
            _put_all(name, staged.modules)
            return _imported(name, staged.module)
        return _imported(name, self._run(name, origin))

    @contextmanager
    def staged(self, origin: Origin) -> Iterator[ModuleType]:
        """Run the plugin's module as it is now while an older one goes on; the next ``load`` inside uses it.

        The older modules are away from ``sys.modules`` only while the new ones are run. What the new code raises
        passes through, and the older code stays as it was.
        """
        name = _name_of(origin)
        before = modules_below(name)
        try:
            module = self._run(name, origin)
            self._staged[origin] = Staged(module=module, modules=modules_below(name))
        finally:
            _drop_all(name, modules_below(name))
            _put_all(name, before)
        try:
            yield module
        finally:
            self._staged.pop(origin, None)

    @contextmanager
    def holding(self, origin: Origin, module: ModuleType, manifest: Manifest) -> Iterator[Undo]:
        """Keep *module*, which is in use, beyond its unload; call what is yielded to have the next ``load`` use it.

        It comes back with its *manifest*: what lies beside the code may be another by then. At the end it is let go.
        """
        held = Staged(module=module, modules=modules_below(_name_of(origin)), manifest=manifest)
        try:
            yield lambda: self._staged.update({origin: held})
        finally:
            self._staged.pop(origin, None)

    def held_manifest(self, origin: Origin) -> Manifest | None:
        """Return the manifest of the code that comes back with the next ``load``, if that is so."""
        staged = self._staged.get(origin)
        return None if staged is None else staged.manifest

    def _run(self, name: str, origin: Origin) -> ModuleType:
        self._prepare()
        if not (self._is_new and _is_file(origin)):
            # Code that was imported before, by a test or by an earlier load that got stuck, must not be served again.
            _drop_all(name, modules_below(name))
            importlib.invalidate_caches()
        try:
            return _run_file(name, origin) if _is_file(origin) else importlib.import_module(name)
        except BaseException:
            _drop_all(name, modules_below(name))
            raise

    def close(self) -> None:
        """Take the finder out of the interpreter."""
        with self._lock:
            finder, self._finder = self._finder, None
        if finder is not None:
            sys.meta_path.remove(finder)

    def _prepare(self) -> None:
        with self._lock:
            if self._finder is None:
                self._finder = PluginFinder()
                sys.meta_path.insert(0, self._finder)
            if NAMESPACE not in sys.modules:
                namespace = ModuleType(NAMESPACE, "Holds the local plugins that are loaded.")
                namespace.__path__ = []
                sys.modules[NAMESPACE] = namespace


class PluginFinder(MetaPathFinder):
    """Finds the modules inside of a local plugin's package, always from the source.

    Python's cache of compiled code takes a file of the same size that changed within the same second for
    unchanged; a plugin that was just corrected would run its old code.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load a module below ``corehost_plugins``; ``None`` leaves it to Python."""
        if not fullname.startswith(f"{NAMESPACE}."):
            return None
        extensions: Any = (ExtensionFileLoader, EXTENSION_SUFFIXES)
        sources: Any = (_SourceLoader, SOURCE_SUFFIXES)
        found = (FileFinder(entry, extensions, sources).find_spec(fullname, target) for entry in path or ())
        return next((spec for spec in found if spec is not None), None)


class _SourceLoader(SourceFileLoader):
    def path_stats(self, path: Any) -> Any:
        raise OSError("compiled code of plugins is not cached")  # what importlib takes for "look at the source"


def _is_file(origin: Origin) -> bool:
    """Tell whether the code is run from where it lies; what ``sys.path`` leads to is imported as any package."""
    return origin.module is None or origin.managed


def _name_of(origin: Origin) -> str:
    name = f"{NAMESPACE}.{origin.name}" if origin.module is None else origin.module
    if ":" in name:
        raise ManifestError(f"The entry point {name!r} must name a module, without ':'.")
    return name


def _imported(name: str, module: ModuleType) -> Imported:
    folder = Path(module.__file__).parent if hasattr(module, "__path__") and module.__file__ else None
    return Imported(module=module, folder=folder, drop=lambda: _drop_all(name, _own_modules(name, module)))


def _run_file(name: str, origin: Origin) -> ModuleType:
    path = origin.path
    file = path / "__init__.py" if path is not None and path.is_dir() else path
    if file is None or not file.is_file():
        raise ManifestError(f"The plugin in {str(path)!r} has no code: '__init__.py' is missing.")
    locations = [str(file.parent)] if file.name == "__init__.py" else None
    loader = _SourceLoader(name, str(file))
    spec = importlib.util.spec_from_file_location(name, file, loader=loader, submodule_search_locations=locations)
    assert spec is not None  # a loader was given
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def modules_below(name: str) -> dict[str, ModuleType]:
    """Return the module *name* and those inside of it that are imported."""
    below = f"{name}."  # made once: among a thousand plugins there are thousands of modules to look at
    found = {key: module for key, module in list(sys.modules.items()) if key.startswith(below)}
    own = sys.modules.get(name)
    return found if own is None else {name: own, **found}


def _own_modules(name: str, module: ModuleType) -> dict[str, ModuleType]:
    """Return the modules that lie below the plugin's own folder; a single file has itself alone."""
    if not hasattr(module, "__path__"):
        return {name: module} if sys.modules.get(name) is module else {}
    # Another host in this process may have imported the plugin again since; then the modules are its own.
    return modules_below(name) if sys.modules.get(name) is module else {}


def _put_all(name: str, modules: Mapping[str, ModuleType]) -> None:
    sys.modules.update(modules)
    parent, _, child = name.rpartition(".")
    if name in modules and parent in sys.modules:  # where the import system puts it, too
        setattr(sys.modules[parent], child, modules[name])


def _drop_all(name: str, modules: dict[str, ModuleType]) -> None:
    for key in modules:
        sys.modules.pop(key, None)
    parent, _, child = name.rpartition(".")
    if modules and parent in sys.modules:  # "from parent import child" would find it there
        vars(sys.modules[parent]).pop(child, None)
