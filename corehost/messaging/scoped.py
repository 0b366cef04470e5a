"""The bus as one plugin sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol

from corehost.contract.message import Awaited, Handler, Message
from corehost.messaging import plain

if TYPE_CHECKING:
    from corehost.messaging.bus import Bus

Undo = Callable[[], None]


class Access(plain.Access, Protocol):
    """Decides whether an owner may use the bus, and keeps what it subscribes."""

    def admit(self) -> None:
        """Raise what says why the owner may not use the bus, if so."""

    def keep(self, undo: Undo) -> Undo:
        """See to it that *undo* is called when the owner ends."""


class _Open:
    granted = passed = None

    @property
    def holder(self) -> _Open:
        """Return itself: there is nobody to grant it anything."""
        return self

    def admit(self) -> None:
        """Refuse nobody."""

    admit_message = admit

    def keep(self, undo: Undo) -> Undo:
        return undo


OPEN = _Open()
"""The access of the host itself."""


class ScopedBus:
    """Sends in the name of *owner* and subscribes into its lane; keeps the contract ``MessageBus``."""

    def __init__(self, bus: Bus, owner: str, access: Access = OPEN) -> None:
        self._bus = bus
        self._owner = owner
        self._access = access
        self.send: plain.Send = bus.send_of(owner, access)
        """Publishes a message and returns it, without waiting for any handler."""

    def request(
        self,
        type: str,
        payload: Any = None,
        *,
        target: str | None = None,
        meta: Mapping[str, Any] | None = None,
        timeout: float = 30_000,
    ) -> Any:
        """Ask, and return the first answer other than ``None``; *timeout* is in milliseconds."""
        self._access.admit_message()
        return self._bus.request(type, payload, source=self._owner, target=target, meta=meta, timeout=timeout)

    def request_future(
        self,
        type: str,
        payload: Any = None,
        *,
        target: str | None = None,
        meta: Mapping[str, Any] | None = None,
        timeout: float = 30_000,
    ) -> Future[Any]:
        """Ask without waiting."""
        self._access.admit_message()
        return self._bus.request_future(type, payload, source=self._owner, target=target, meta=meta, timeout=timeout)

    def subscribe(
        self,
        pattern: str,
        handler: Handler | Callable[..., Any],
        *,
        source: str | Sequence[str] | None = None,
        priority: int = 0,
    ) -> Undo:
        """Hear the messages whose type matches *pattern*."""
        self._access.admit()
        undo = self._bus.subscribe(pattern, handler, owner=self._owner, source=source, priority=priority)
        return self._access.keep(undo)

    def once(self, pattern: str, *, source: str | Sequence[str] | None = None) -> Awaited:
        """Hear the next such message only."""
        self._access.admit()
        return self._bus.once(pattern, owner=self._owner, source=source)

    def get_history(self, pattern: str | None = None, limit: int = 100) -> list[Message]:
        """Return the newest *limit* messages that this plugin might have heard, oldest first."""
        self._access.admit()
        return self._bus.get_history(pattern, limit, owner=self._owner)
