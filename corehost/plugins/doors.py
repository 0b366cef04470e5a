"""Stand between a plugin and what it may use of the host: storage, users, shared state, events and its own hooks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from corehost.contract.context import StorageTransaction
from corehost.contract.core import EventEmitter
from corehost.contract.errors import NotFoundError
from corehost.contract.permissions import PLUGINS_COMMUNICATE, STORAGE_READ, STORAGE_WRITE, USER_READ, USER_WRITE
from corehost.contract.schema import check, json_faults
from corehost.contract.stores import Readable
from corehost.contract.user import UserContext
from corehost.messaging.trail import current_trail
from corehost.plugins.asking import HostHooks
from corehost.plugins.closers import Closers
from corehost.plugins.permissions import Permissions
from corehost.plugins.registry import Plugin
from corehost.state.database import Preferences
from corehost.state.shared import SharedState
from corehost.state.storage import Entries, Storage
from corehost.state.watching import Submit, watch

Undo = Callable[[], None]
T = TypeVar("T")


class Door:
    """What all doors of one plugin share: its grants, its lane and its undos."""

    def __init__(self, plugin: Plugin, permissions: Permissions, submit: Submit, closers: Closers) -> None:
        self.plugin = plugin
        self.submit = submit
        self.closers = closers
        self._permissions = permissions

    def require(self, permission: str, what: str) -> None:
        """Raise ``PermissionDeniedError`` unless the plugin was granted *permission*."""
        self._permissions.require_plugin(self.plugin, permission, what)

    def watch(self, store: Readable[Any]) -> Readable[Any]:
        """Return *store* as one whose subscribers run in the plugin's lane and end with it."""
        return watch(store, self.submit, self.closers.keep)


class StorageDoor:
    """The plugin's storage."""

    def __init__(self, door: Door, storage: Storage) -> None:
        self._door = door
        self._storage = storage

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of *key*."""
        return self._readable(self._storage).get(key, default)

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that begin with *prefix*, sorted."""
        return self._readable(self._storage).keys(prefix)

    def set(self, key: str, value: Any) -> None:
        """Keep *value* under *key*."""
        self._writable(self._storage).set(key, value)

    def delete(self, key: str) -> None:
        """Forget *key*."""
        self._writable(self._storage).delete(key)

    def clear(self) -> None:
        """Forget everything."""
        self._writable(self._storage).clear()

    @contextmanager
    def transaction(self) -> Iterator[StorageTransaction]:
        """Read and write all or nothing."""
        self._writable(self._storage)
        with self._storage.transaction() as entries:
            yield _Transaction(self, entries)

    def _readable(self, storage: T) -> T:
        self._door.require(STORAGE_READ, "read its storage")
        return storage

    def _writable(self, storage: T) -> T:
        self._door.require(STORAGE_WRITE, "write its storage")
        return storage


class _Transaction:
    """A transaction, at each step of which the plugin must still be granted what it does."""

    def __init__(self, door: StorageDoor, entries: Entries) -> None:
        self._readable = functools.partial(door._readable, entries)
        self._writable = functools.partial(door._writable, entries)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of *key*."""
        return self._readable().get(key, default)

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that begin with *prefix*, sorted."""
        return self._readable().keys(prefix)

    def set(self, key: str, value: Any) -> None:
        """Keep *value* under *key*."""
        self._writable().set(key, value)

    def delete(self, key: str) -> None:
        """Forget *key*."""
        self._writable().delete(key)

    def clear(self) -> None:
        """Forget everything."""
        self._writable().clear()


class UsersDoor:
    """The user behind what the plugin is doing."""

    def __init__(self, door: Door, preferences: Preferences) -> None:
        self._door = door
        self._preferences = preferences

    def current(self) -> UserContext | None:
        """Return the user, ``None`` if nobody is behind it."""
        self._door.require(USER_READ, "know the user")
        return current_trail().user

    def get_preference(self, key: str, default: Any = None) -> Any:
        """Return what the plugin keeps for the current user under *key*."""
        self._door.require(USER_READ, "read a user's preference")
        return self._preferences.get(self._door.plugin.id, _user_id(), key, default)

    def set_preference(self, key: str, value: Any) -> None:
        """Keep a JSON value for the current user."""
        self._door.require(USER_WRITE, "keep a user's preference")
        check(json_faults, value, f"The preference {key!r}")
        self._preferences.set(self._door.plugin.id, _user_id(), key, value)


class StateDoor:
    """The state that all plugins share."""

    def __init__(self, door: Door, shared: SharedState) -> None:
        self._door = door
        self._shared = shared

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of *key*."""
        return self._open().get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Set *key*."""
        self._open().set(key, value)

    def update(self, key: str, change: Callable[[Any], Any]) -> Any:
        """Replace the value by ``change(value)`` in one step and return it."""
        return self._open().update(key, change)

    def subscribe(self, key: str, handler: Callable[[Any], Any]) -> Undo:
        """Call *handler* at once and after each change, in the plugin's lane."""
        return self.get_store(key).subscribe(self._door.plugin.adapt(handler))

    def get_store(self, key: str) -> Readable[Any]:
        """Return *key* as a store."""
        return self._door.watch(self._open().get_store(key))

    def _open(self) -> SharedState:
        self._door.require(PLUGINS_COMMUNICATE, "use the shared state")
        return self._shared


class EventsDoor:
    """The life of host and plugins."""

    def __init__(self, door: Door, events: EventEmitter) -> None:
        self._door = door
        self._events = events
        self._undos: dict[tuple[str, Callable[[Any], Any]], list[Undo]] = {}

    def on(self, event: str, handler: Callable[[Any], Any]) -> Undo:
        """Call *handler* with the event's data, in the plugin's lane."""
        stop = self._door.closers.keep(self._events.on(event, self._door.plugin.adapt(handler)))
        known = self._undos.setdefault((event, handler), [])

        def undo() -> None:
            stop()
            if undo in known:
                known.remove(undo)

        known.append(undo)
        return undo

    def off(self, event: str, handler: Callable[[Any], Any]) -> None:
        """Stop calling *handler*."""
        for undo in list(self._undos.get((event, handler), ())):
            undo()

    def emit(self, event: str, data: Any = None) -> None:
        """Tell everyone; the event must begin with the plugin's id and ``:``."""
        self._events.emit(event, data)


class HooksDoor:
    """The hooks that the plugin specified itself."""

    def __init__(self, plugin: Plugin, asker: HostHooks) -> None:
        self._plugin = plugin
        self._asker = asker

    def call(self, name: str, /, **arguments: Any) -> list[tuple[str, Any]]:
        """Ask every enabled implementer; return ``(plugin id, value)`` in load order."""
        return self._asker.ask_own(self._plugin, name, arguments)


def _user_id() -> str:
    user = current_trail().user
    if user is None:
        raise NotFoundError("There is no user behind this; preferences belong to one.")
    return user.id
