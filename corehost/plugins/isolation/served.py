"""Do, in the host, what a plugin asks of its context from another process."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from corehost.contract.context import Logger, PluginContext
from corehost.contract.core import PluginInstance
from corehost.contract.errors import BusyError, DisabledError, MethodNotFoundError, NotFoundError
from corehost.contract.message import Handler, Message
from corehost.contract.records import to_json
from corehost.contract.user import UserContext
from corehost.plugins.isolation.changes import Changes
from corehost.plugins.isolation.declarations import routes_from_json
from corehost.plugins.isolation.held import HeldTransactions
from corehost.plugins.isolation.line import Line
from corehost.plugins.isolation.remote import RemoteWays, user_from_json, user_to_json
from corehost.plugins.isolation.travel import OvertakenError
from corehost.plugins.logger import PluginLogger

MAX_OPEN: Final = 1_000
"""How many subscriptions, timers and the like one worker may have open."""

_DOORS: Final[Mapping[str, frozenset[str]]] = {
    "storage": frozenset({"get", "set", "delete", "clear", "keys"}),
    "users": frozenset({"current", "get_preference", "set_preference"}),
    "messages": frozenset({"send", "request", "get_history"}),
    "plugins": frozenset({"has", "call", "get_config", "set_config"}),
    "state": frozenset({"get", "set"}),
    "events": frozenset({"emit"}),
    "routes": frozenset({"unregister", "navigate", "get_current_route", "match", "all_routes"}),
    "hooks": frozenset({"call"}),
}
"""What may be called by name, with the arguments as they come: the doors check permissions and values."""


class ServedContext:
    """One plugin's context, for its process.

    Nothing is served before setup has handed the context in. Every way is through the same doors that a plugin in the
    host's own process goes through, so that the same permissions hold. *failed* is given what subscribers of the
    plugin's stores raise.
    """

    def __init__(
        self,
        plugin_id: str,
        line: Line,
        *,
        http: Callable[[dict[str, Any]], Any],
        failed: Callable[[Exception], None],
    ) -> None:
        self._plugin_id = plugin_id
        self._changes = Changes(failed)
        self.ways = self._ways = RemoteWays(line)
        self._plain_log = PluginLogger(plugin_id)
        self._http = http
        self._context: PluginContext | None = None
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._open: dict[int, Any] = {}
        self._held = HeldTransactions()
        self._special: dict[str, Callable[..., Any]] = {
            "config": lambda: dict(self._now().config),
            "absent": lambda: list(self._now().absent),
            "http": lambda options: self._http(dict(options)),
            "every": lambda seconds, number: self._keep(self._now().every(seconds, self._ways.callback(number))),
            "later": lambda seconds, number: self._keep(self._now().later(seconds, self._ways.callback(number))),
            "undo": self._undo,
            "subscribe": self._subscribe,
            "once": self._once,
            "once.result": lambda number, timeout: self._opened(number).result(timeout),
            "once.cancel": lambda number: self._opened(number).cancel(),
            "events.on": lambda event, number: self._keep(
                self._now().core.events.on(event, self._ways.callback(number))
            ),
            "peers": lambda: [_peer_json(peer) for peer in self._now().core.plugins.get_all()],
            "peer": lambda plugin_id: _peer_json(self._now().core.plugins.get(plugin_id)),
            "peer.store": lambda plugin_id, name: list(self._peer_store(plugin_id, name).snapshot()),
            "peer.set": lambda plugin_id, name, value: self._peer_store(plugin_id, name).set(value),
            "peer.follow": self._follow_peer,
            "state.read": lambda key: list(self._now().core.state.get_store(key).snapshot()),
            "state.compare": self._compare,
            "state.follow": self._follow_state,
            "routes.navigation": self._navigation,
            "routes.register": self._register,
            "routes.store": lambda: list(self._now().core.routes.get_store().snapshot()),
            "routes.follow": self._follow_routes,
            "transaction": lambda: self._held.begin(self._now().storage),
            "transaction.do": self._held.do,
            "transaction.end": self._held.end,
        }

    @property
    def logger(self) -> Logger:
        """The plugin's log; the context's masks its secrets."""
        return self._plain_log if self._context is None else self._context.logger

    def admit(self, context: PluginContext) -> None:
        """Serve *context* from now on."""
        self._context = context

    def serve(self, name: str, arguments: list[Any], named: Mapping[str, Any]) -> Any:
        """Return what the plugin's process asks for, in values that can be sent."""
        special = self._special.get(name)
        if special is not None:
            return _sendable(special(*arguments, **named))
        door, _, verb = name.partition(".")
        if verb not in _DOORS.get(door, ()):
            raise MethodNotFoundError(f"A plugin's context has no {str(name)[:80]!r}.")
        context = self._now()
        found = getattr(context if door in ("storage", "users", "hooks") else context.core, door)
        return _sendable(getattr(found, verb)(*arguments, **named))

    def follow(self, name: str, state: Any) -> None:
        """Take over what a store of the plugin holds by now, and have its subscribers told."""
        if (tell := self.ways.follow(name, state)) is not None:
            self._changes.put(name, tell)

    def close(self) -> None:
        """Roll back what is under way; the context closes what else is open."""
        self._changes.close()
        self._held.close()
        self._context = None

    def _now(self) -> PluginContext:
        if self._context is None:
            raise DisabledError(f"Plugin {self._plugin_id!r} has no context: it is handed in at setup.")
        return self._context

    def _keep(self, opened: Any) -> int:
        with self._lock:
            number = next(self._numbers)
            is_full = len(self._open) >= MAX_OPEN
            if not is_full:
                self._open[number] = opened
        if is_full:
            opened()
            raise BusyError(f"Plugin {self._plugin_id!r} has {MAX_OPEN} things open already. Close some.")
        return number

    def _opened(self, number: int) -> Any:
        found = self._open.get(number)
        if found is None:
            raise NotFoundError("That is closed already.")
        return found

    def _undo(self, number: int) -> None:
        opened = self._open.pop(number, None)
        if callable(opened):
            opened()

    def _subscribe(self, pattern: str, number: int, source: Any, priority: int) -> int:
        handler = Handler(handle=self._ways.hearer(number), priority=priority)
        return self._keep(self._now().core.messages.subscribe(pattern, handler, source=source, priority=priority))

    def _once(self, pattern: str, source: Any) -> int:
        awaited = self._now().core.messages.once(pattern, source=source)
        return self._keep(_Cancelled(awaited))

    def _peer_store(self, plugin_id: str, name: str) -> Any:
        peer = self._now().core.plugins.get(plugin_id)
        if peer is None or name not in peer.stores:
            raise NotFoundError(f"There is no store {str(plugin_id)[:80]}/{str(name)[:80]}.")
        return peer.stores[name]

    def _follow_peer(self, plugin_id: str, name: str, number: int) -> int:
        return self._keep(self._peer_store(plugin_id, name).subscribe(self._ways.callback(number)))

    def _follow_state(self, key: str, number: int) -> int:
        return self._keep(self._now().core.state.subscribe(key, self._ways.callback(number)))

    def _follow_routes(self, number: int) -> int:
        return self._keep(self._now().core.routes.get_store().subscribe(self._ways.callback(number)))

    def _compare(self, key: str, version: int, value: Any) -> bool:
        """Set a shared value if it is still the one of *version*; tell whether it was."""
        state = self._now().core.state
        store = state.get_store(key)

        def change(_old: Any) -> Any:
            if store.version != version:
                raise OvertakenError("another was faster")
            return value

        try:
            state.update(key, change)
        except OvertakenError:
            return False
        return True

    def _navigation(self, user: dict[str, Any] | None) -> list[Any]:
        return self._now().core.routes.navigation(user_from_json(user))

    def _register(self, routes: list[Any]) -> int:
        return self._keep(self._now().core.routes.register(routes_from_json(routes, self._ways)))


class _Cancelled:
    """A wait for a message, which ends when it is undone."""

    def __init__(self, awaited: Any) -> None:
        self.result, self.cancel = awaited.result, awaited.cancel

    def __call__(self) -> None:
        self.cancel()


def _sendable(value: Any) -> Any:
    if isinstance(value, Message) or value is None:
        return value
    if isinstance(value, UserContext):
        return user_to_json(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return [_sendable(item) for item in value]
    return to_json(value)


def _peer_json(peer: PluginInstance | None) -> dict[str, Any] | None:
    if peer is None:
        return None
    try:
        manifest = to_json(peer.manifest)
    except DisabledError:
        manifest = None
    return {
        "manifest": manifest,
        "status": peer.status,
        "isLoaded": peer.is_loaded,
        "error": peer.error,
        "api": to_json(peer.api),
        "routes": to_json(peer.routes),
        "stores": list(peer.stores),
    }
