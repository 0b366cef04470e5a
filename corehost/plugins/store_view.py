"""Show a plugin's store to others for as long as the host runs, whether the plugin is on or off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from corehost.contract.errors import ConflictError, DisabledError, PluginFaultError
from corehost.contract.schema import Checker
from corehost.contract.stores import Readable, Writable

Undo = Callable[[], None]


def value_if_unchanged(store: Writable[Any], value: Any, version: int | None) -> Callable[[Any], Any]:
    """Return a change of *store* to *value* that raises ``ConflictError`` if its version is not *version* any more.

    ``update`` calls it with the store locked, so nobody can come in between.
    """

    def change(_: Any) -> Any:
        if version is not None and store.version != version:
            raise ConflictError("The store has changed since you read it. Read it again, then set it.")
        return value

    return change


class StoreView(Readable[Any]):
    """The store *name* of plugin *plugin_id*; its subscribers go on when the plugin is enabled again.

    ``get`` raises ``DisabledError`` while the plugin is off; versions grow across loads.
    """

    def __init__(self, plugin_id: str, name: str) -> None:
        super().__init__()
        self._what = (plugin_id, name)
        self._source: Readable[Any] | None = None
        self._checker: Checker | None = None
        self._offset = 0
        self._last: tuple[Any, int] = (None, -1)
        self._stop: Undo | None = None

    def get(self) -> Any:
        """Return the value; raises ``DisabledError`` while the plugin is off."""
        if self._source is None:
            raise DisabledError(
                f"Plugin {self._what[0]!r} is not enabled, so its store {self._what[1]!r} has no value."
            )
        return super().get()

    def snapshot(self) -> tuple[Any, int]:
        """Return value and version as they belong together; the last known while the plugin is off.

        Raises ``PluginFaultError`` if the plugin computed a value that breaks the store's schema.
        """
        with self._lock:
            if self._source is None:
                return self._last
            value, version = self._source.snapshot()
            version += self._offset
            if version != self._last[1]:
                self._check(value)
                self._last = (value, version)
            return value, version

    def inner_version(self, version: int) -> int:
        """Return the plugin's own store's version that stands behind a *version* of this view."""
        with self._lock:
            return version - self._offset

    def bind(self, source: Readable[Any], checker: Checker | None) -> None:
        """Show *source* from now on; *checker* looks at values that nothing else checks."""
        with self._lock:
            self._source, self._checker = source, checker
            self._offset = self._last[1] + 1 - source.snapshot()[1]
        self._follow()

    def unbind(self) -> None:
        """Show nothing; subscribers stay and hear nothing."""
        with self._lock:
            if self._source is not None:
                self._last = (None, self._last[1])  # the plugin's value must not keep its module in memory
            self._source = self._checker = None
        self._follow()

    def _check(self, value: Any) -> None:
        if self._checker is not None and (faults := self._checker(value)):
            plugin_id, name = self._what
            listed = "; ".join(map(str, faults))
            raise PluginFaultError(
                f"The store {name!r} of {plugin_id!r} breaks its schema. {listed}", plugin_id=plugin_id
            )

    def _wake(self) -> None:
        self._follow()

    def _sleep(self) -> None:
        self._follow()

    def _follow(self) -> None:
        """Follow the source if there is one and somebody listens, outside of the lock: subscribers are called."""
        with self._lock:
            stop, self._stop = self._stop, None
            source = self._source if self._subscriptions else None
        if stop is not None:
            stop()
        if source is None:
            return
        stop = source.subscribe(lambda _: self._notify())
        with self._lock:
            is_wanted = self._source is source and bool(self._subscriptions) and self._stop is None
            if is_wanted:
                self._stop = stop
        if not is_wanted:
            stop()
