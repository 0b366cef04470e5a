"""Carry the values of a plugin's stores over to its next load."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from corehost.contract.errors import InvalidError
from corehost.plugins.faults import Faults
from corehost.plugins.registry import Plugin

Undo = Callable[[], None]


class KeptStores:
    """A part of a plugin's life: what is kept when it goes off is put back when it goes live again.

    A value is kept only if it was ever changed, so that a new first value in the code is seen; it is put back only if
    the store is still there and its schema takes it. Called on the life-cycle thread only.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._going: frozenset[str] = frozenset()
        self._values: dict[str, dict[str, Any]] = {}

    @contextmanager
    def keeping(self, plugin_ids: Iterable[str]) -> Iterator[None]:
        """Carry over what the plugins have when they go off inside; at the end, what nobody took is forgotten."""
        self._going = frozenset(plugin_ids)
        try:
            yield
        finally:
            self._going = frozenset()
            self._values.clear()

    def __call__(self, plugin: Plugin) -> Undo:
        """Put back what is kept of *plugin*."""
        stores = plugin.stores.settable() if plugin.stores else {}
        for name, value in self._values.pop(plugin.id, {}).items():
            if name in stores:
                self._put_back(plugin, stores[name].set, value)
        return lambda: self._keep(plugin)

    def _keep(self, plugin: Plugin) -> None:
        if plugin.id in self._going and plugin.stores is not None:
            seen = {name: store.snapshot() for name, store in plugin.stores.settable().items()}
            self._values[plugin.id] = {name: value for name, (value, version) in seen.items() if version}

    def _put_back(self, plugin: Plugin, put: Callable[[Any], object], value: Any) -> None:
        try:
            put(value)
        except InvalidError:  # the schema is another now: the new code's own value holds
            return
        except Exception as error:  # noqa: BLE001  # a subscriber of the plugin's may raise anything; the rest is put back
            self._faults.charge(plugin.id, error, where="store")
