"""Stand between a plugin and the bus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from corehost.contract.core import MessageBus
from corehost.contract.message import Awaited, Handler, Message
from corehost.contract.permissions import PLUGINS_COMMUNICATE
from corehost.plugins.doors import Door
from corehost.plugins.registry import Plugin
from corehost.plugins.restraint import RestrainedBus, Restraint

Undo = Callable[[], None]


class BusDoor:
    """The bus for a plugin that was granted ``plugins:communicate``; what it subscribes ends with it."""

    def __init__(self, door: Door, bus: MessageBus) -> None:
        self._door = door
        self._bus = self._free = bus

    def restrain(self, restraint: Restraint | None) -> None:
        """Let it send as much as *restraint* allows from now on, and without one as much as it likes."""
        # Another bus instead of a look at each message: nearly no plugin is ever held back.
        self._bus = self._free if restraint is None else RestrainedBus(self._free, restraint)

    def send(
        self,
        type: str,
        payload: Any = None,
        *,
        target: str | None = None,
        meta: Mapping[str, Any] | None = None,
        wait: float | None = None,
    ) -> Message:
        """Publish a message and return it."""
        return self._open().send(type, payload, target=target, meta=meta, wait=wait)

    def request(
        self,
        type: str,
        payload: Any = None,
        *,
        target: str | None = None,
        meta: Mapping[str, Any] | None = None,
        timeout: float = 30_000,
    ) -> Any:
        """Ask, and return the first answer."""
        return self._open().request(type, payload, target=target, meta=meta, timeout=timeout)

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
        return self._open().request_future(type, payload, target=target, meta=meta, timeout=timeout)

    def subscribe(
        self,
        pattern: str,
        handler: Handler | Callable[..., Any],
        *,
        source: str | Sequence[str] | None = None,
        priority: int = 0,
    ) -> Undo:
        """Hear the messages whose type matches *pattern*."""
        adapted = adapted_handler(self._door.plugin, handler)
        return self._door.closers.keep(self._open().subscribe(pattern, adapted, source=source, priority=priority))

    def once(self, pattern: str, *, source: str | Sequence[str] | None = None) -> Awaited:
        """Hear the next such message only."""
        return self._open().once(pattern, source=source)

    def get_history(self, pattern: str | None = None, limit: int = 100) -> list[Message]:
        """Return the newest messages that the plugin might have heard."""
        return self._open().get_history(pattern, limit)

    def _open(self) -> MessageBus:
        if PLUGINS_COMMUNICATE not in self._door.plugin.granted:  # asked here first: every message comes by
            self._door.require(PLUGINS_COMMUNICATE, "use the bus")
        return self._bus


def adapted_handler(plugin: Plugin, handler: Handler | Callable[..., Any]) -> Handler | Callable[..., Any]:
    """Return *handler* with its ``async def`` functions made plain."""
    if not isinstance(handler, Handler):
        return plugin.adapt(handler)
    accepts = plugin.adapt(handler.filter) if handler.filter is not None else None
    return replace(handler, handle=plugin.adapt(handler.handle), filter=accepts)
