"""The bus as one plugin sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from corehost.contract.message import Awaited, Handler, Message

if TYPE_CHECKING:
    from corehost.messaging.bus import Bus

Undo = Callable[[], None]


class ScopedBus:
    """Sends in the name of *owner* and subscribes into its lane; keeps the contract ``MessageBus``."""

    def __init__(self, bus: Bus, owner: str) -> None:
        self._bus = bus
        self._owner = owner

    def send(
        self,
        type: str,
        payload: Any = None,
        *,
        target: str | None = None,
        meta: Mapping[str, Any] | None = None,
        wait: float | None = None,
    ) -> Message:
        """Publish a message and return it, without waiting for any handler."""
        return self._bus.send(type, payload, source=self._owner, target=target, meta=meta, wait=wait)

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
        return self._bus.subscribe(pattern, handler, owner=self._owner, source=source, priority=priority)

    def once(self, pattern: str, *, source: str | Sequence[str] | None = None) -> Awaited:
        """Hear the next such message only."""
        return self._bus.once(pattern, owner=self._owner, source=source)

    def get_history(self, pattern: str | None = None, limit: int = 100) -> list[Message]:
        """Return the newest *limit* messages that this plugin might have heard, oldest first."""
        return self._bus.get_history(pattern, limit, owner=self._owner)
