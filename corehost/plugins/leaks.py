"""Find out what a plugin has left behind a while after it went."""

from __future__ import annotations

import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any

from corehost.contract.errors import PluginFaultError
from corehost.messaging.timers import Timers
from corehost.plugins.announcements import Announcements
from corehost.plugins.faults import Faults
from corehost.plugins.registry import Plugin

SECONDS = 5.0
"""How long what a plugin was made of may live on after its unload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gone:
    """A plugin that went: what it was made of, by name, and where its code lay."""

    plugin: Plugin
    version: str
    generation: int
    parts: tuple[tuple[str, weakref.ref[Any]], ...]
    path: Path | None
    at: float


class Leaks:
    """Looks at each unloaded plugin once, *seconds* later.

    Modules, handlers, methods, views and stores must be dead by then: whatever of the host or of others still holds on
    to the plugin (a route, a subscription, a watcher, a timer) keeps one of them alive. No thread may run its code.
    """

    def __init__(self, faults: Faults, announce: Announcements, timers: Timers, *, seconds: float = SECONDS) -> None:
        self._faults = faults
        self._announce = announce
        self._timers = timers
        self._seconds = seconds
        self._lock = threading.Lock()
        self._waiting: list[_Gone] = []

    def going(self, plugin: Plugin) -> Callable[[], None]:
        """Take note of what *plugin* is made of, before its unload; call what is returned behind it."""
        version, generation = plugin.version, plugin.generation
        parts = tuple((name, weakref.ref(part)) for name, part in _parts(plugin))
        path = plugin.origin.path

        def gone() -> None:
            at = time.monotonic()
            found = _Gone(plugin=plugin, version=version, generation=generation, parts=parts, path=path, at=at)
            with self._lock:
                self._waiting.append(found)
            self._timers.later(self._seconds, self._start)

        return gone

    def _start(self) -> None:
        # Never on the thread of the timers: a collection of all that the host holds takes a while.
        threading.Thread(target=self._look, name="corehost-leak-check", daemon=True).start()

    def _look(self) -> None:
        now = time.monotonic()
        with self._lock:
            due = [gone for gone in self._waiting if now - gone.at >= self._seconds * 0.9]
            self._waiting = [gone for gone in self._waiting if gone not in due]
        if any(_alive(gone) for gone in due):
            gc.collect()  # functions and their module hold on to each other; only a collection parts them
        for gone in due:
            if left := [*_alive(gone), *_threads_of(gone)]:
                self._report(gone, left)

    def _report(self, gone: _Gone, left: list[str]) -> None:
        plugin = gone.plugin
        text = f"Plugin {plugin.id!r} {gone.version} left behind, {self._seconds:g} s after its unload: "
        what = ", ".join(left)
        advice = ". Undo in 'corehost_teardown' what you registered outside of your context."
        self._faults.charge(plugin.id, PluginFaultError(text + what + advice, plugin_id=plugin.id), where="leak")
        self._announce.leaked(plugin, gone.version, left)


def _parts(plugin: Plugin) -> Iterator[tuple[str, Any]]:
    module = plugin.module
    if module is None:
        return
    for name, found in list(sys.modules.items()):
        if name == module.__name__ or name.startswith(f"{module.__name__}."):
            yield f"module {name}", found
            # What holds on to a function keeps its globals, and not the module object itself.
            own = (m for m in vars(found).values() if isinstance(m, FunctionType | type) and m.__module__ == name)
            yield from ((f"{name}.{member.__qualname__}", member) for member in own)
    for what, part in _declared(plugin):
        if str(getattr(part, "__module__", "")).startswith(module.__name__):  # else it is not the plugin's to let go
            yield what, part
    for name, store in (plugin.stores.writable if plugin.stores else {}).items():
        yield f"store {name}", store


def _declared(plugin: Plugin) -> Iterator[tuple[str, Any]]:
    for name, handler in (plugin.messages.handlers if plugin.messages else {}).items():
        yield f"handler {name}", handler.handle
    for wanted in plugin.messages.subscriptions if plugin.messages else ():
        yield f"handler of {wanted.type}", wanted.handler.handle
    for name, method in (plugin.api.methods if plugin.api else {}).items():
        yield f"method {name}", method.handler
    for route in plugin.routes.routes if plugin.routes else ():
        if route.view is not None:
            yield f"view of {route.path}", route.view


def _alive(gone: _Gone) -> list[str]:
    return [name for name, part in gone.parts if part() is not None]


def _threads_of(gone: _Gone) -> list[str]:
    """Return the threads that run code of a plugin that is not in memory any more."""
    if gone.path is None or gone.plugin.generation != gone.generation or gone.plugin.imported is not None:
        return []  # it is back: its threads cannot be told apart from those of before
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = sys._current_frames()
    return [f"thread {names[key]}" for key, frame in frames.items() if key in names and _is_inside(frame, gone.path)]


def _is_inside(frame: FrameType | None, path: Path) -> bool:
    while frame is not None:
        if Path(frame.f_code.co_filename).is_relative_to(path):
            return True
        frame = frame.f_back
    return False
