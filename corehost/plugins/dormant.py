"""Keep a plugin listed, navigable and reachable before its code is imported."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from corehost.contract.errors import DisabledError
from corehost.contract.manifest import Manifest
from corehost.contract.message import Handler, Message
from corehost.messaging.subscription import takes_context
from corehost.plugins.changes import Changes
from corehost.plugins.contracts import Limits, require_allowed
from corehost.plugins.contributions import contracts_from
from corehost.plugins.manifests import require_runnable
from corehost.plugins.registry import Plugin
from corehost.plugins.surroundings import Surroundings

_LONGEST = 60.0
"""Seconds that anybody waits for a plugin to wake; its hooks have deadlines of their own."""


def may_sleep(plugin: Plugin) -> bool:
    """Tell whether the plugin wants to be loaded on demand, and tells enough for that beside its code."""
    manifest = plugin.manifest
    is_told = manifest is not None and manifest.contributes is not None and plugin.origin.manifest_path is not None
    return is_told and manifest is not None and manifest.activation == "on-demand"


class Sleep:
    """How to wake one plugin. It is loaded once, however many ask; all wait until that is done."""

    def __init__(self, changes: Changes, wake: Callable[[], None]) -> None:
        self._changes = changes
        self._wake = wake
        self._lock = threading.Lock()
        self._waking: Future[None] | None = None
        self.is_over = False

    def end(self) -> None:
        """Return when the plugin is live; raises what its load raised, ``LateError``, ``DisabledError``.

        Raises ``ConflictError`` in a life-cycle hook of another plugin, which the load would have to wait for.
        """
        if self.is_over:
            return
        with self._lock:
            if self._waking is None:
                self._waking = self._changes.submit(self._wake)
            waking = self._waking
        self._changes.wait(waking, _LONGEST)


class Stay:
    """What of an on-demand plugin is live for as long as it is enabled: what it contributes, and its lane.

    Its lane and its handlers' subscriptions outlast its awakening, so that a message is neither lost nor handled twice
    nor out of order while it wakes. Called on the life-cycle thread only.
    """

    def __init__(self, plugin: Plugin, host: Surroundings, sleep: Sleep) -> None:
        self._plugin = plugin
        self._host = host
        self._sleep = sleep
        self._stack = ExitStack()

    def open(self) -> None:
        """Show what the plugin contributes; raises what forbids that, and ``close`` then undoes what was done."""
        plugin, host = self._plugin, self._host
        manifest = plugin.manifest
        assert manifest is not None  # "may_sleep" looked
        require_runnable(manifest, is_isolated=True)  # which of the two it is, is decided when it is loaded
        host.grants.require_consent(plugin, manifest)
        host.grants.apply(plugin)
        self._stack.callback(self._forget)
        plugin.sleep = self._sleep
        plugin.contracts = contracts = contracts_from(manifest, self._handler)
        told = {"routes": contracts.routes, "api": contracts.api, "messages": contracts.messages}
        require_allowed(plugin.id, told, self._limits(manifest))
        self._stack.callback(host.bus.join(plugin.id, rank=host.registry.position(plugin.id), settle=plugin.settle))
        self._open_messages()
        for part in host.asleep:
            self._stack.callback(part(plugin))
        host.registry.change(plugin, "enabled")
        host.announce.plugin(plugin, "enabled")

    def close(self) -> None:
        """Take everything off again."""
        self._stack.close()

    def _limits(self, manifest: Manifest) -> Limits:
        plugin, host = self._plugin, self._host
        return Limits(
            granted=plugin.granted,
            asked=manifest.permissions,
            base_path=host.base_paths.get(plugin.id, f"/{plugin.id}"),
            others=host.registry.ids(),
        )

    def _open_messages(self) -> None:
        plugin, bus = self._plugin, self._host.bus
        spec = plugin.messages
        if spec is None:
            return
        for schema in spec.schemas.values():
            self._stack.callback(bus.declare(schema, owner=plugin.id))
        for name, handler in spec.handlers.items():
            held = replace(handler, filter=partial(self._accepts, name))
            undo = bus.subscribe(f"{plugin.id}:{name}", held, owner=plugin.id, priority=handler.priority)
            self._stack.callback(undo)

    def _forget(self) -> None:
        self._plugin.contracts = self._plugin.sleep = None

    def _handler(self, name: str) -> Callable[..., Any]:
        def handle(message: Message, context: Any) -> Any:
            """Wake the plugin if it sleeps, and have its own handler do it."""
            was_asleep = not self._sleep.is_over
            self._sleep.end()
            handler, plugin = self._own(name), self._plugin
            if was_asleep and not self._accepts(name, message):
                return None
            own = plugin.adapt(handler.handle)
            return own(message, context) if takes_context(handler.handle) else own(message)

        return handle

    def _accepts(self, name: str, message: Message) -> bool:
        """Tell whether the plugin's own filter lets *message* pass; before it is there, everything passes."""
        if not self._sleep.is_over:
            return True
        accepts = self._own(name).filter
        return accepts is None or bool(self._plugin.adapt(accepts)(message))

    def _own(self, name: str) -> Handler:
        spec = self._plugin.messages
        if spec is None or name not in spec.handlers:
            raise DisabledError(f"Plugin {self._plugin.id!r} was switched off.")
        return spec.handlers[name]
