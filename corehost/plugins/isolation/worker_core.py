"""The host as a plugin in a process of its own sees it: bus, other plugins, routes, shared state and events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

import msgspec

from corehost.contract.errors import NotFoundError
from corehost.contract.message import Awaited, Handler, Message
from corehost.contract.records import from_json
from corehost.contract.routes import NavigationItem, Route, RouteInfo
from corehost.contract.stores import Readable
from corehost.contract.user import UserContext
from corehost.plugins.isolation.declarations import routes_to_json
from corehost.plugins.isolation.remote import user_to_json
from corehost.plugins.isolation.worker_line import GRACE, FarStore, HostLine, Undo
from corehost.plugins.isolation.worker_peers import WorkerEvents, WorkerPeers

_LONG: Final = 86_400.0


def message_from_wire(data: Any) -> Message:
    """Return the message that came as *data*."""
    return msgspec.convert(data, Message)


class WorkerCore:
    """The host."""

    def __init__(self, line: HostLine) -> None:
        self.messages = WorkerBus(line)
        self.events = WorkerEvents(line)
        self.plugins = WorkerPeers(line, self.events)
        self.routes = WorkerRoutes(line)
        self.state = WorkerState(line)


class WorkerBus:
    """The bus."""

    def __init__(self, line: HostLine) -> None:
        self._line = line

    def send(self, type: str, payload: Any = None, *, wait: float | None = None, **options: Any) -> Message:
        """Publish a message and return it."""
        sent = self._line.ask("messages.send", type, payload, wait=wait, seconds=(wait or 0) + _LONG, **_plain(options))
        return message_from_wire(sent)

    def request(self, type: str, payload: Any = None, *, timeout: float = 30_000, **options: Any) -> Any:
        """Ask, and return the first answer."""
        seconds = timeout / 1000 + GRACE
        return self._line.ask("messages.request", type, payload, timeout=timeout, seconds=seconds, **_plain(options))

    def request_future(self, type: str, payload: Any = None, *, timeout: float = 30_000, **options: Any) -> Future[Any]:
        """Ask without waiting."""
        return self._line.ask_later("messages.request", type, payload, timeout=timeout, **_plain(options))

    def subscribe(
        self,
        pattern: str,
        handler: Handler | Callable[..., Any],
        *,
        source: str | Sequence[str] | None = None,
        priority: int = 0,
    ) -> Undo:
        """Hear the messages whose type matches *pattern*."""
        made = handler if isinstance(handler, Handler) else Handler(handle=handler, priority=priority)
        wanted = source if source is None or isinstance(source, str) else list(source)
        return self._line.open_handler(made, pattern, wanted)

    def once(self, pattern: str, *, source: str | Sequence[str] | None = None) -> Awaited:
        """Hear the next such message only."""
        wanted = source if source is None or isinstance(source, str) else list(source)
        return WorkerAwaited(self._line, self._line.ask("once", pattern, wanted))

    def get_history(self, pattern: str | None = None, limit: int = 100) -> list[Message]:
        """Return the newest messages that the plugin might have heard."""
        return [message_from_wire(kept) for kept in self._line.ask("messages.get_history", pattern, limit)]


class WorkerAwaited:
    """The next message of a pattern."""

    def __init__(self, line: HostLine, number: int) -> None:
        self._line = line
        self._number = number

    def result(self, timeout: float | None = None) -> Message:
        """Wait up to *timeout* seconds and return the message; raises ``LateError``."""
        seconds = _LONG if timeout is None else timeout + GRACE
        return message_from_wire(self._line.ask("once.result", self._number, timeout, seconds=seconds))

    def cancel(self) -> None:
        """Stop waiting."""
        self._line.ask("once.cancel", self._number)

    def __await__(self) -> Any:
        """Wait inside a coroutine."""
        return asyncio.wrap_future(self._line.ask_later("once.result", self._number, None)).__await__()


class WorkerState:
    """The state that all plugins share."""

    def __init__(self, line: HostLine) -> None:
        self._line = line

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of *key*."""
        return self._line.ask("state.get", key, default)

    def set(self, key: str, value: Any) -> None:
        """Set *key*."""
        self._line.ask("state.set", key, value)

    def update(self, key: str, change: Callable[[Any], Any]) -> Any:
        """Replace the value by ``change(value)`` in one step and return it; *change* may be called more than once."""
        while True:
            value, version = self._line.ask("state.read", key)
            wanted = change(value)
            if self._line.ask("state.compare", key, version, wanted):
                return wanted

    def subscribe(self, key: str, handler: Callable[[Any], Any]) -> Undo:
        """Call *handler* at once and after each change."""
        return self._line.open("state.follow", handler, key)

    def get_store(self, key: str) -> Readable[Any]:
        """Return *key* as a store."""
        return FarStore(partial(self._line.ask, "state.read", key), partial(self.subscribe, key))


class WorkerRoutes:
    """Routes at run time. *register* is set by who serves the pages: they are made in this process."""

    def __init__(self, line: HostLine) -> None:
        self._line = line
        self.serve_more: Callable[[Sequence[Route]], Undo] = _no_pages

    def register(self, routes: Sequence[Route]) -> Undo:
        """Add *routes* to those declared."""
        stop_serving = self.serve_more(routes)
        try:
            number = self._line.ask("routes.register", routes_to_json(routes))
        except BaseException:
            stop_serving()
            raise

        def undo() -> None:
            self._line.ask("undo", number)
            stop_serving()

        return undo

    def unregister(self, paths: Sequence[str]) -> None:
        """Take routes of the plugin away again."""
        self._line.ask("routes.unregister", [paths] if isinstance(paths, str) else list(paths))

    def navigate(self, path: str, *, session: str | None = None, replace: bool = False, state: Any = None) -> None:
        """Tell a browser to go to *path*."""
        self._line.ask("routes.navigate", path, session=session, replace=replace, state=state)

    def get_current_route(self) -> RouteInfo:
        """Refuse: the request is being served by the host, and ``flask.request`` tells more."""
        raise NotFoundError("In a process of its own a plugin asks 'flask.request' where it is.")

    def match(self, path: str) -> RouteInfo | None:
        """Return which plugin's route would serve *path*."""
        found = self._line.ask("routes.match", path)
        return None if found is None else from_json(RouteInfo, found)

    def all_routes(self) -> list[RouteInfo]:
        """Return all routes that are live."""
        return [from_json(RouteInfo, kept) for kept in self._line.ask("routes.all_routes")]

    def navigation(self, user: UserContext | None = None) -> list[NavigationItem]:
        """Return the menu as *user* may see it."""
        found = self._line.ask("routes.navigation", user_to_json(user))
        return [from_json(NavigationItem, kept) for kept in found]

    def get_store(self) -> Readable[Any]:
        """Return a store of all live route patterns."""
        return FarStore(
            partial(self._line.ask, "routes.store"), lambda run: self._line.open("routes.follow", run, before=0)
        )


def _no_pages(_routes: Sequence[Route]) -> Undo:
    """Leave it to the host to refuse: a plugin that declares no routes serves no pages."""
    return lambda: None


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}
