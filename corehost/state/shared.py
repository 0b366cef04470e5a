"""Hold the values that all plugins share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from corehost.contract.errors import InvalidError, TooLargeError
from corehost.contract.schema import check, json_faults
from corehost.contract.stores import Readable, Writable, writable

Undo = Callable[[], None]
MAX_KEYS = 10_000
MAX_KEY = 512


class SharedState:
    """JSON values under keys; each key is a store that lives as long as the host."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stores: dict[str, Writable[Any]] = {}

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of *key*, *default* for one that was never set."""
        with self._lock:
            store = self._stores.get(key)
        value = None if store is None else store.get()
        return default if value is None else value

    def set(self, key: str, value: Any) -> None:
        """Set *key*; raises ``InvalidError`` for what is no JSON."""
        self._store(key).set(value)

    def update(self, key: str, change: Callable[[Any], Any]) -> Any:
        """Replace the value by ``change(value)`` in one step and return it."""
        return self._store(key).update(change)

    def subscribe(self, key: str, run: Callable[[Any], Any]) -> Undo:
        """Call *run* at once and after each change, in the thread that sets."""
        return self._store(key).subscribe(run)

    def get_store(self, key: str) -> Readable[Any]:
        """Return *key* as a store, with ``None`` for a value that was never set."""
        return self._store(key)

    def keys(self) -> list[str]:
        """Return all keys that somebody has set or follows, sorted."""
        with self._lock:
            return sorted(self._stores)

    def _store(self, key: Any) -> Writable[Any]:
        if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY:
            raise InvalidError(f"{key!r} is no key of the shared state: text of 1 to {MAX_KEY} characters.")
        with self._lock:
            if (store := self._stores.get(key)) is None:
                if len(self._stores) >= MAX_KEYS:
                    raise TooLargeError(f"The shared state holds {MAX_KEYS} keys, no room for {key!r}. Use fewer keys.")
                store = self._stores[key] = writable(None)
                store.guard(lambda value: check(json_faults, value, f"The shared value {key!r}"))
            return store
