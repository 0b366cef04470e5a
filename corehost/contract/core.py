"""The host as a plugin sees it: bus, other plugins, routes, shared state and events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Literal, Protocol

from corehost.contract.api import ApiSpec
from corehost.contract.manifest import Manifest
from corehost.contract.message import Awaited, Handler, Message
from corehost.contract.routes import NavigationItem, Route, RouteInfo, RoutesSpec
from corehost.contract.stores import Readable
from corehost.contract.user import UserContext

Unsubscribe = Callable[[], None]
"""Undoes what returned it; calling it twice does nothing more."""

PluginStatus = Literal["loading", "loaded", "enabled", "disabled", "error", "unloading"]


class MessageBus(Protocol):
    """The bus as one plugin sees it: what it sends bears its id, what it subscribes runs in its lane.

    Every method raises ``PermissionDeniedError`` without ``plugins:communicate``.
    """

    def send(
        self,
        type: str,
        payload: Any = None,
        *,
        target: str | None = None,
        meta: Mapping[str, Any] | None = None,
        wait: float | None = None,
    ) -> Message:
        """Publish a message and return it, without waiting for any handler.

        ``wait`` is how many seconds to wait for room where a receiver's lane is full, before
        ``OverloadedError``; without it what does not fit becomes a dead letter. Raises ``InvalidError`` for a
        payload that breaks the type's schema, ``NoTargetError``, ``HopLimitError``.
        """

    def request(
        self,
        type: str,
        payload: Any = None,
        *,
        target: str | None = None,
        meta: Mapping[str, Any] | None = None,
        timeout: float = 30_000,
    ) -> Any:
        """Ask, and return the first answer other than ``None``; ``timeout`` is in milliseconds.

        Raises ``NoHandlerError``, ``PluginFaultError`` (the handler raised), ``LateError``, ``BusyError``.
        """

    def request_future(
        self,
        type: str,
        payload: Any = None,
        *,
        target: str | None = None,
        meta: Mapping[str, Any] | None = None,
        timeout: float = 30_000,
    ) -> Future[Any]:
        """Ask without waiting; the future holds the answer or one of the errors of ``request``."""

    def subscribe(
        self,
        pattern: str,
        handler: Handler | Callable[..., Any],
        *,
        source: str | Sequence[str] | None = None,
        priority: int = 0,
    ) -> Unsubscribe:
        """Hear the messages whose type matches *pattern*, ``*`` standing for any run of characters."""

    def once(self, pattern: str, *, source: str | Sequence[str] | None = None) -> Awaited:
        """Hear the next such message only."""

    def get_history(self, pattern: str | None = None, limit: int = 100) -> list[Message]:
        """Return the newest *limit* messages that this plugin might have heard, oldest first."""


class PluginInstance(Protocol):
    """Another plugin as one sees it. (Specification, ``PluginInstance``.)"""

    @property
    def manifest(self) -> Manifest: ...
    @property
    def status(self) -> PluginStatus: ...
    @property
    def is_loaded(self) -> bool:
        """Whether it is enabled and its code runs; one that is loaded on demand is enabled before."""

    @property
    def error(self) -> str | None: ...
    @property
    def api(self) -> ApiSpec | None: ...
    @property
    def routes(self) -> RoutesSpec | None: ...
    @property
    def stores(self) -> Mapping[str, Readable[Any]]: ...


class PluginRegistry(Protocol):
    """The other plugins."""

    def get(self, plugin_id: str) -> PluginInstance | None:
        """Return the plugin, or ``None``. Its stores are views that call this plugin back in its own lane."""

    def get_all(self) -> list[PluginInstance]:
        """Return all known plugins in load order."""

    def has(self, plugin_id: str) -> bool:
        """Tell whether the plugin is enabled."""

    def call(self, plugin_id: str, method: str, input: Any = None, *, timeout: float = 30_000) -> Any:
        """Call a method of another plugin and return its result; ``timeout`` is in milliseconds.

        Raises ``PermissionDeniedError``, ``NotFoundError``, ``MethodNotFoundError``, ``DisabledError``,
        ``InvalidError`` (the input), ``PluginFaultError`` (it raised or broke its output schema), ``LateError``.
        """

    def get_config(self, plugin_id: str) -> Mapping[str, Any]:
        """Return another plugin's settings, defaults filled in; a secret reads ``SECRET_MASK``, or ``None`` if unset.

        Needs the custom permission ``host:configure``, and of the user behind the call ``plugin:<id>:manage``.
        Works for a plugin in any status whose manifest is known. Raises ``NotFoundError``.
        """

    def set_config(self, plugin_id: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Replace another plugin's settings by *values*, apply them live, and return them as ``get_config`` does.

        A property that is left out goes back to its default; a secret that is left out or reads ``SECRET_MASK``
        stays as it is, and ``None`` forgets it. Raises ``InvalidError`` with a fault for each wrong property
        (path ``/<property>…``) and, with path ``""``, if the plugin's ``corehost_configure`` refuses; nothing is
        changed then. Needs the same permissions as ``get_config``.
        """

    def on_plugin_load(self, handler: Callable[[PluginInstance], Any]) -> Unsubscribe:
        """Call *handler* in this plugin's lane whenever a plugin has been enabled."""

    def on_plugin_unload(self, handler: Callable[[str], Any]) -> Unsubscribe:
        """Call *handler* with the id whenever a plugin has gone."""

    def on_plugin_error(self, handler: Callable[[str, str], Any]) -> Unsubscribe:
        """Call *handler* with id and reason whenever a plugin has failed."""


class RouteManager(Protocol):
    """Routes at run time. Every method that changes something needs ``routes:register``."""

    def register(self, routes: Sequence[Route]) -> Unsubscribe:
        """Add *routes* (relative to the plugin's base path) to those declared."""

    def unregister(self, paths: Sequence[str]) -> None:
        """Take routes of this plugin away again; *paths* as they were registered."""

    def navigate(self, path: str, *, session: str | None = None, replace: bool = False, state: Any = None) -> None:
        """Tell a browser to go to *path*; the session of the request being served unless another is named."""

    def get_current_route(self) -> RouteInfo:
        """Return where the request being served is; raises ``NotFoundError`` outside of one."""

    def match(self, path: str) -> RouteInfo | None:
        """Return which plugin's route would serve *path*, with its values."""

    def all_routes(self) -> list[RouteInfo]:
        """Return all routes that are live; ``path`` is the full pattern."""

    def navigation(self, user: UserContext | None = None) -> list[NavigationItem]:
        """Return the menu, ordered, as *user* may see it; without a user, the whole."""

    def get_store(self) -> Readable[Any]:
        """Return a store of all live route patterns."""


class StateManager(Protocol):
    """State shared by all plugins, as JSON values under keys. Needs ``plugins:communicate``."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of *key*."""

    def set(self, key: str, value: Any) -> None:
        """Set *key*; raises ``InvalidError`` for what is no JSON."""

    def update(self, key: str, change: Callable[[Any], Any]) -> Any:
        """Replace the value by ``change(value)`` in one step and return it."""

    def subscribe(self, key: str, handler: Callable[[Any], Any]) -> Unsubscribe:
        """Call *handler* at once and after each change, in this plugin's lane, with the latest value."""

    def get_store(self, key: str) -> Readable[Any]:
        """Return *key* as a store."""


class EventEmitter(Protocol):
    """The life of host and plugins: ``plugin:loaded|enabled|disabled|unloaded|error``, ``user:login|logout``,
    ``config:changed``; a plugin emits events that begin with its own id and ``:``."""

    def on(self, event: str, handler: Callable[[Any], Any]) -> Unsubscribe:
        """Call *handler* with the event's data, in this plugin's lane."""

    def off(self, event: str, handler: Callable[[Any], Any]) -> None:
        """Stop calling *handler*."""

    def emit(self, event: str, data: Any = None) -> None:
        """Tell everyone; raises ``PermissionDeniedError`` for an event under another's name."""


class CoreApi(Protocol):
    """The host, as a plugin sees it. (Specification, ``CoreAPI``.)"""

    @property
    def messages(self) -> MessageBus: ...
    @property
    def plugins(self) -> PluginRegistry: ...
    @property
    def routes(self) -> RouteManager: ...
    @property
    def state(self) -> StateManager: ...
    @property
    def events(self) -> EventEmitter: ...
