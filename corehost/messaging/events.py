"""Events in the life of host and plugins."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from corehost.contract.errors import PermissionDeniedError
from corehost.contract.schema import check, json_faults
from corehost.messaging.lanes import Lanes
from corehost.messaging.patterns import Pattern, pattern

Undo = Callable[[], None]


class _Listener:
    """One handler of one owner, and the pattern of the events that it hears."""

    __slots__ = ("handler", "is_live", "owner", "pattern")

    def __init__(self, owner: str, wanted: Pattern, handler: Callable[[Any], Any]) -> None:
        self.owner = owner
        self.pattern = wanted
        self.handler = handler
        self.is_live = True

    def hear(self, data: Any) -> None:
        """Call the handler, unless it was taken off while this waited in the lane."""
        if self.is_live:
            self.handler(data)


class Events:
    """Tells each handler of an event in its owner's lane.

    Names are exact or hold ``*``. Handlers of an owner without a lane hear nothing and are forgotten.
    """

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._lock = threading.RLock()  # a finalizer may come in between, see order.py
        self._listeners: list[_Listener] = []

    def scoped(self, owner: str) -> ScopedEvents:
        """Return the emitter of *owner*; keeps the contract ``EventEmitter``."""
        return ScopedEvents(self, owner)

    def emit(self, event: str, data: Any = None) -> None:
        """Tell everyone who hears *event*, without waiting for any."""
        with self._lock:
            listeners = [one for one in self._listeners if one.pattern.matches(event)]
        for listener in listeners:
            if self._lanes.lane(listener.owner) is None:
                self._remove(listener)
            else:
                self._lanes.submit(listener.owner, partial(listener.hear, data), where="event")

    def on(self, event: str, handler: Callable[[Any], Any], *, owner: str) -> Undo:
        """Call *handler* with the data of each such event, in the lane of *owner*."""
        listener = _Listener(owner, pattern(event), handler)
        with self._lock:
            self._listeners.append(listener)
        return lambda: self._remove(listener)

    def off(self, event: str, handler: Callable[[Any], Any], *, owner: str) -> None:
        """Stop calling *handler* for *event*."""
        for listener in list(self._listeners):
            if (listener.owner, listener.pattern.text) == (owner, event) and listener.handler == handler:
                self._remove(listener)

    def leave(self, owner: str) -> None:
        """Forget every handler of *owner*."""
        for listener in [one for one in self._listeners if one.owner == owner]:
            self._remove(listener)

    def count(self, owner: str) -> int:
        """Return how many handlers *owner* has."""
        return sum(listener.owner == owner for listener in list(self._listeners))

    def _remove(self, listener: _Listener) -> None:
        listener.is_live = False
        with self._lock:
            self._listeners = [one for one in self._listeners if one is not listener]


class ScopedEvents:
    """The events as one plugin sees them."""

    def __init__(self, events: Events, owner: str) -> None:
        self._events = events
        self._owner = owner

    def on(self, event: str, handler: Callable[[Any], Any]) -> Undo:
        """Call *handler* with the event's data, in this plugin's lane."""
        return self._events.on(event, handler, owner=self._owner)

    def off(self, event: str, handler: Callable[[Any], Any]) -> None:
        """Stop calling *handler*."""
        self._events.off(event, handler, owner=self._owner)

    def emit(self, event: str, data: Any = None) -> None:
        """Tell everyone; raises ``PermissionDeniedError`` for an event under another's name."""
        if not event.startswith(f"{self._owner}:"):
            raise PermissionDeniedError(
                f"Plugin {self._owner!r} may not emit {event!r}. Begin the name with '{self._owner}:'.",
                subject=self._owner,
            )
        check(json_faults, data, f"The data of {event!r}")
        self._events.emit(event, data)
