"""Follow, in the host, the stores of a plugin in another process, which is the authority for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from corehost.contract.errors import CorehostError, PluginFaultError
from corehost.contract.stores import Readable, Writable
from corehost.plugins.isolation.line import Line

_SECONDS: Final = 10.0
_TRIES: Final = 100


class _Told:
    """The newest state that was told."""

    def __init__(self, state: Any) -> None:
        self.state = _checked(state)
        self._lock = threading.Lock()

    def advance(self, state: Any) -> bool:
        """Take *state* over if it is newer; tell whether it is."""
        checked = _checked(state)
        with self._lock:
            is_news = checked[1] > self.state[1]
            if is_news:
                self.state = checked
        return is_news


class Mirror(Readable[Any]):
    """The last value that the plugin told."""

    def __init__(self, state: Any) -> None:
        super().__init__()
        self._told = _Told(state)

    def snapshot(self) -> tuple[Any, int]:
        """Return value and version as they belong together."""
        return self._told.state

    def follow(self, state: Any) -> bool:
        """Take over what the plugin tells, unless something newer is known; return whether somebody must ``tell``."""
        return self._told.advance(state)

    def tell(self) -> None:
        """Tell the subscribers of the newest value, those that have not heard of it."""
        self._notify()


class WritableMirror(Writable[Any]):
    """A store that can be set: the plugin is asked to, and what it then holds is followed."""

    def __init__(self, name: str, state: Any, line: Line) -> None:
        super().__init__(None)
        self._told = _Told(state)
        self._name = name
        self._line = line
        self._guard: Callable[[Any], None] | None = None
        self._setting = 0

    def snapshot(self) -> tuple[Any, int]:
        """Return value and version as they belong together."""
        return self._told.state

    def guard(self, check: Callable[[Any], None] | None) -> None:
        """Let *check* look at every value that comes."""
        self._guard = check

    def set(self, value: Any) -> None:
        """Have the plugin set the store."""
        self._put(value, None)

    def update(self, change: Callable[[Any], Any]) -> Any:
        """Have the plugin set the store to ``change(value)``, again if it has changed meanwhile, and return that."""
        for _ in range(_TRIES):
            value, version = self.snapshot()
            wanted = change(value)
            if self._put(wanted, version):
                return wanted
        raise PluginFaultError(f"The store {self._name!r} changes all the time, so that nobody else can set it.")

    def _put(self, value: Any, version: int | None) -> bool:
        """Have the store set, if it still is at *version*; tell whether it was."""
        if self._guard is not None:
            self._guard(value)
        with self._lock:
            self._setting += 1
        try:
            is_set, *state = self._line.call("store", [self._name, value, version], seconds=_SECONDS)
            self.follow(state)
        finally:
            with self._lock:
                self._setting -= 1
            self.tell()
        return bool(is_set)

    def follow(self, state: Any) -> bool:
        """Take over what the plugin tells, unless it breaks the schema or something newer is known.

        Returns whether somebody must ``tell``; while the store is being set, whoever sets it does, before that ends.
        """
        value, _ = _checked(state)
        if self._guard is not None:
            try:
                self._guard(value)
            except CorehostError as error:
                raise PluginFaultError(f"The store {self._name!r} holds what its schema forbids. {error}") from error
        is_news = self._told.advance(state)
        with self._lock:
            return is_news and not self._setting

    def tell(self) -> None:
        """Tell the subscribers of the newest value, those that have not heard of it."""
        self._notify()


def _checked(state: Any) -> tuple[Any, int]:
    value, version = state
    if not isinstance(version, int) or version < 0:
        raise ValueError(f"{version!r} is no version of a store")
    return value, version
