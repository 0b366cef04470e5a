"""Take note of what a plugin is made of, and find what of it is still there later."""

from __future__ import annotations

import functools
import io
import os
import socket
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType, FunctionType, MethodType, ModuleType
from typing import Any

from corehost.plugins.loader import modules_below
from corehost.plugins.registry import Plugin
from corehost.plugins.stacks import code_of, is_below

Parts = Callable[[Plugin], Iterable[tuple[str, Any]]]
"""Returns what else a plugin is made of, by name."""
Modules = Mapping[str, ModuleType]
Find = Callable[[str], Plugin | None]
"""Returns the entry that a plugin has now."""
_DEPTH = 3
_MOST = 500
"""How deep, and how much, the values of a plugin's modules are searched for files."""
_Opened = io.IOBase | socket.socket


class Remains:
    """What one load of a plugin is made of, by name; nothing of it is kept alive by this.

    Take it before the unload, while all of it is there. It ``is_suspect`` once it was seen with something left.
    """

    def __init__(self, plugin: Plugin, find: Find, more: Iterable[Parts] = ()) -> None:
        self.plugin = plugin
        self._find = find
        self.is_suspect = False
        self.version = plugin.version
        self._generation = plugin.generation
        self._path = code_of(plugin)
        self.import_name = plugin.import_name
        self._module = None if plugin.module is None else weakref.ref(plugin.module)
        modules = {} if self.import_name is None else modules_below(self.import_name)
        self._parts = [ref for parts in more for ref in _taken(parts(plugin))]
        self._parts += _taken(_parts(plugin, modules))
        self._opened = [*_taken(_opened_by(modules))]

    @property
    def is_back(self) -> bool:
        """Whether the plugin was loaded again, so that it cannot be told what is of the old load.

        It may have got another entry since, and what sleeps has subscriptions and pages, too.
        """
        now = self._find(self.plugin.id)
        if now is None:
            return False
        was_loaded = now.generation != (self._generation if now is self.plugin else 0)
        return was_loaded or now.imported is not None or now.sleep is not None

    def alive(self) -> dict[str, Any]:
        """Return what still lives, by name; nothing if that very code was loaded again, and is in use."""
        if self._module is not None and self._module() is self.plugin.module is not None:
            return {}
        found = {name: part for name, ref in self._parts if (part := ref()) is not None}
        for name, ref in self._opened:
            file = ref()
            if file is not None and not _is_closed(file):
                found[name] = file
        return found

    def registered(self) -> list[str]:
        """Return what the process still does for a plugin that is not in memory: threads, timers and open files."""
        found = [*self._threads(), *self._files()]
        return [] if self.is_back else found  # asked last: it may come back while we look

    def _threads(self) -> list[str]:
        """Return the threads that run the plugin's code, or are about to."""
        path = self._path
        if path is None:
            return []
        frames = sys._current_frames()
        return [
            f"{'timer' if isinstance(thread, threading.Timer) else 'thread'} {thread.name}"
            for thread in threading.enumerate()
            if _runs_code_of(path, frames.get(thread.ident or 0)) or self._is_for(thread, path)
        ]

    def _is_for(self, thread: threading.Thread, path: Path) -> bool:
        work = getattr(thread, "function", None) or getattr(thread, "_target", None)
        return any(_lies_in(part, path, self.import_name) for part in (_bare(work), type(thread)))

    def _files(self) -> list[str]:
        """Return the files of the plugin's own folder that are open, however they were opened."""
        path = self._path
        if path is None:
            return []
        return [f"open file {target}" for target in _open_paths() if is_below(target, path)]


def _taken(parts: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, weakref.ref[Any]]]:
    for name, part in parts:
        try:
            yield name, weakref.ref(part)
        except TypeError:  # something that nothing can follow, such as a list
            continue


def _parts(plugin: Plugin, modules: Modules) -> Iterator[tuple[str, Any]]:
    for what, part in _declared(plugin):
        if _is_within(_module_of(part), plugin.import_name or ""):  # else it is not the plugin's to let go
            yield what, part
    for name, store in (plugin.stores.settable() if plugin.stores else {}).items():
        yield f"store {name}", store
    for name, module in modules.items():
        yield f"module {name}", module
        # What holds on to any code of a module keeps its globals, hence all its functions, but not the module object.
        own = (m for m in list(vars(module).values()) if isinstance(m, FunctionType | type) and m.__module__ == name)
        yield from ((f"{name}.{member.__qualname__}", member) for member in own)


def _declared(plugin: Plugin) -> Iterator[tuple[str, Any]]:
    for name, handler in (plugin.messages.handlers if plugin.messages else {}).items():
        yield f"handler {name}", _bare(handler.handle)
    for wanted in plugin.messages.subscriptions if plugin.messages else ():
        yield f"handler of {wanted.type}", _bare(wanted.handler.handle)
    for name, method in (plugin.api.methods if plugin.api else {}).items():
        yield f"method {name}", _bare(method.handler)
    for route in plugin.routes.routes if plugin.routes else ():
        if route.view is not None:
            yield f"view of {route.path}", _bare(route.view)


def _opened_by(modules: Modules) -> Iterator[tuple[str, Any]]:
    """Find the files and sockets that *modules* hold, directly or in what they hold."""
    seen: set[int] = set()
    for name, module in modules.items():
        todo = [(f"{name}.{key}", value, _DEPTH) for key, value in list(vars(module).items())]
        while todo and len(seen) < _MOST:
            path, value, depth = todo.pop()
            if id(value) in seen:
                continue
            seen.add(id(value))
            if isinstance(value, _Opened):
                if not _is_closed(value):
                    yield f"open {_kind_of(value)} {path}", value
            elif depth:
                todo += [(f"{path}{key}", inner, depth - 1) for key, inner in _inner(value, name)]


def _inner(value: Any, module: str) -> Iterator[tuple[str, Any]]:
    """Return what a container holds, or an object of a class of the plugin's own."""
    if isinstance(value, dict):
        yield from ((f"[{key!r}]", inner) for key, inner in list(value.items())[:_MOST])
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"[{index}]", inner) for index, inner in enumerate(list(value)[:_MOST]))
    elif not isinstance(value, type | ModuleType | FunctionType) and type(value).__module__ == module:
        yield from ((f".{key}", inner) for key, inner in list(getattr(value, "__dict__", {}).items()))


def _kind_of(value: Any) -> str:
    if isinstance(value, socket.socket):
        return "socket"
    name = getattr(value, "name", None)
    return f"file {name!r} in" if isinstance(name, str) else "file"


def _is_closed(value: Any) -> bool:
    if isinstance(value, socket.socket):
        return value.fileno() < 0
    return bool(value.closed)


def _is_within(name: str, package: str) -> bool:
    return bool(package) and (name == package or name.startswith(f"{package}."))


def _bare(work: Any) -> Any:
    """Return the function inside of partials, or the object that a method belongs to: methods are made when asked for,
    and die at once."""
    while isinstance(work, functools.partial):
        work = work.func
    return work.__self__ if isinstance(work, MethodType) else work


def _module_of(part: Any) -> str:
    return str(getattr(part, "__module__", None) or type(part).__module__)


def _lies_in(part: Any, path: Path, name: str | None) -> bool:
    code = getattr(part, "__code__", None)
    if code is not None:
        return is_below(code.co_filename, path)
    return part is not None and _is_within(_module_of(part), name or "")


def _runs_code_of(path: Path, frame: FrameType | None) -> bool:
    while frame is not None:
        if is_below(frame.f_code.co_filename, path):
            return True
        frame = frame.f_back
    return False


def _open_paths() -> Iterator[str]:
    folder = "/proc/self/fd"  # only Linux tells
    for entry in os.listdir(folder) if os.path.isdir(folder) else ():  # noqa: PTH112, PTH208  # names are all it takes
        try:
            yield os.readlink(f"{folder}/{entry}")  # noqa: PTH115  # ditto
        except OSError:  # closed meanwhile
            continue
