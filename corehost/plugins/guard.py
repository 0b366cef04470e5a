"""See to it that no plugin changes what belongs to the whole process."""

from __future__ import annotations

import builtins
import gc
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from corehost.contract.errors import PluginFaultError
from corehost.plugins.faults import Faults
from corehost.plugins.registry import Registry
from corehost.plugins.stacks import code_of, is_below

_ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """Something of the process: how to read it, and how to put it back."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], object]


def _cwd() -> Path | None:
    try:
        return Path.cwd()
    except FileNotFoundError:  # somebody has deleted it
        return None


def _go_back(folder: Path | None) -> None:
    if folder is not None:
        os.chdir(folder)


_KEPT = (
    _Kept(name="sys.setswitchinterval", read=sys.getswitchinterval, write=sys.setswitchinterval),
    _Kept(name="sys.setrecursionlimit", read=sys.getrecursionlimit, write=sys.setrecursionlimit),
    _Kept(name="sys.excepthook", read=lambda: sys.excepthook, write=partial(setattr, sys, "excepthook")),
    _Kept(
        name="threading.excepthook", read=lambda: threading.excepthook, write=partial(setattr, threading, "excepthook")
    ),
    _Kept(name="socket.setdefaulttimeout", read=socket.getdefaulttimeout, write=socket.setdefaulttimeout),
    _Kept(name="gc.disable", read=gc.isenabled, write=lambda on: gc.enable() if on else gc.disable()),
    _Kept(name="os.chdir", read=_cwd, write=_go_back),
)


class Guard:
    """Compares the process with what it was at the start, and puts back what was changed.

    Who did it is told by where the new value's code lies, else it is who was just loaded. Signal handlers need no
    guard: Python lets only the main thread set them, and no plugin runs there. Variables of the environment are told of
    and left: libraries set them in good faith.
    """

    def __init__(self, registry: Registry, faults: Faults) -> None:
        self._log = structlog.get_logger("corehost.plugins")
        self._registry = registry
        self._faults = faults
        self._lock = threading.Lock()
        self._builtins: Mapping[str, Any] | None = None
        self._values: dict[str, Any] = {}
        self._environment: dict[str, str] = {}

    def begin(self) -> None:
        """Take the process as it is now for what it shall stay."""
        with self._lock:
            self._builtins = dict(vars(builtins))
            self._values = {kept.name: kept.read() for kept in _KEPT}
            self._environment = dict(os.environ)

    def end(self) -> None:
        """Look no more."""
        with self._lock:
            self._builtins = None

    def look(self, suspect: str | None = None) -> None:
        """Put back what was changed and charge who did it, *suspect* if nothing else tells."""
        with self._lock:
            if self._builtins is None:
                return
            changed = [*self._restored_builtins(self._builtins), *self._restored_values()]
            names = self._changed_variables()
        for name, value in changed:
            self._charge(name, value, suspect)
        if names:
            self._log.info("environment changed", variables=names, plugin=suspect)

    def _restored_builtins(self, kept: Mapping[str, Any]) -> list[tuple[str, Any]]:
        # Nothing but syntax and methods here: any name that Python gives us may be what was taken away.
        now = builtins.__dict__
        changed = [name for name in {**kept, **now} if now.get(name, _ABSENT) is not kept.get(name, _ABSENT)]
        found = [(name, now.get(name, _ABSENT)) for name in changed]
        for name in changed:
            if name in kept:
                now[name] = kept[name]
            else:
                now.pop(name, None)
        return [(f"builtins.{name}", value) for name, value in found]

    def _restored_values(self) -> list[tuple[str, Any]]:
        found = []
        for kept in _KEPT:
            value, before = kept.read(), self._values[kept.name]
            if value is before or value == before:
                continue
            try:
                kept.write(before)
            except (OSError, ValueError, RecursionError) as error:  # such as a folder that is gone
                self._log.warning("not put back", what=kept.name, reason=str(error))
                self._values[kept.name] = value
            found.append((kept.name, value))
        return found

    def _changed_variables(self) -> list[str]:
        now = dict(os.environ)
        if now == self._environment:
            return []
        before, self._environment = self._environment, now
        return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))

    def _charge(self, name: str, value: Any, suspect: str | None) -> None:
        owner = self._owner_of(value) or suspect
        if owner is None:
            self._log.error("process changed", what=name, by="nobody knows whom")
            return
        text = f"Plugin {owner!r} changed {name}, which belongs to the whole process. It was put back."
        self._faults.charge(owner, PluginFaultError(text, plugin_id=owner), where="guard")

    def _owner_of(self, value: Any) -> str | None:
        """Return the plugin in whose code *value* was written."""
        function = getattr(value, "func", value)  # of a partial
        function = getattr(function, "__func__", function)  # of a method
        code = getattr(function, "__code__", None)
        module = sys.modules.get(str(getattr(function, "__module__", "") or getattr(type(value), "__module__", "")))
        file = getattr(code, "co_filename", None) or getattr(module, "__file__", None)
        for plugin in self._registry.all() if file else ():
            folder = code_of(plugin)
            if folder is not None and is_below(str(file), folder):
                return plugin.id
        return None
