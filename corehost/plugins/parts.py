"""Make what a plugin declared live: stores, messages, methods and its say in what is published."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack

from msgspec.structs import replace

from corehost.contract.errors import PermissionDeniedError
from corehost.contract.message import Handler, Message
from corehost.messaging.bus import Bus
from corehost.plugins.asking import HostHooks
from corehost.plugins.registry import Plugin

Undo = Callable[[], None]


class BusPart:
    """Declares a plugin's message schemas and subscribes its handlers."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def __call__(self, plugin: Plugin) -> Undo:
        """Make the plugin's messages live; all of it or, if something is refused, nothing."""
        spec = plugin.messages
        if spec is None:
            return lambda: None
        with ExitStack() as stack:
            # Of one that was woken, these are live since before, see "dormant".
            for schema in spec.schemas.values() if plugin.sleep is None else ():
                stack.callback(self._bus.declare(schema, owner=plugin.id))
            for name, handler in spec.handlers.items() if plugin.sleep is None else ():
                self._subscribe(stack, plugin, f"{plugin.id}:{name}", handler, None)
            for wanted in spec.subscriptions:
                self._subscribe(stack, plugin, wanted.type, wanted.handler, wanted.source)
            return stack.pop_all().close

    def _subscribe(
        self, stack: ExitStack, plugin: Plugin, pattern: str, handler: Handler, source: str | tuple[str, ...] | None
    ) -> None:
        undo = self._bus.subscribe(pattern, handler, owner=plugin.id, source=source, priority=handler.priority)
        stack.callback(undo)


class VetoPart:
    """Has messages looked at before they are published, for as long as some plugin implements the hook.

    While nobody does, the bus asks nobody: that is the case that must be fast.
    """

    def __init__(self, bus: Bus, hooks: HostHooks) -> None:
        self._bus = bus
        self._hooks = hooks
        self._lock = threading.Lock()
        self._count = 0
        self._undo: Undo | None = None

    def __call__(self, plugin: Plugin) -> Undo:
        """Count the plugin among those that are asked."""
        if plugin.hooks is None or not plugin.hooks.has("corehost_before_publish"):
            return lambda: None
        self._change(1)
        return lambda: self._change(-1)

    def _change(self, by: int) -> None:
        with self._lock:
            self._count += by
            if self._count and self._undo is None:
                self._undo = self._bus.vet(self._vet)
            elif not self._count and self._undo is not None:
                self._undo()
                self._undo = None

    def _vet(self, message: Message) -> Message:
        """Return *message* as the plugins want it, one after the other; raises ``PermissionDeniedError`` for a veto."""
        for plugin in self._hooks.implementers("corehost_before_publish"):
            amended = self._hooks.ask_one(
                plugin, "corehost_before_publish", through=PermissionDeniedError, message=message
            )
            if isinstance(amended, Message):
                # Only payload and meta are the plugin's to amend; the next must see who really sent the message.
                message = replace(message, payload=amended.payload, meta=amended.meta)
        return message
