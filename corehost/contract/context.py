"""What a plugin is handed: its context, and through it the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from corehost.contract.core import CoreApi, Unsubscribe
from corehost.contract.user import UserContext


class Logger(Protocol):
    """Writes to the host's log under the plugin's id; keyword values become fields of the line."""

    def debug(self, message: str, *args: Any, **values: Any) -> None: ...
    def info(self, message: str, *args: Any, **values: Any) -> None: ...
    def warning(self, message: str, *args: Any, **values: Any) -> None: ...
    def error(self, message: str, *args: Any, **values: Any) -> None: ...
    def exception(self, message: str, *args: Any, **values: Any) -> None: ...


class StorageTransaction(Protocol):
    """The storage inside one transaction."""

    def get(self, key: str, default: Any = None) -> Any: ...
    def set(self, key: str, value: Any) -> None: ...
    def delete(self, key: str) -> None: ...
    def clear(self) -> None: ...
    def keys(self, prefix: str = "") -> list[str]: ...


class PluginStorage(StorageTransaction, Protocol):
    """JSON values on disk, this plugin's own. Reading needs ``storage:read``, writing ``storage:write``.

    A write that returned survives a crash of the host. Raises ``QuotaError`` when full, ``InvalidError`` for
    what is no JSON.
    """

    def transaction(self) -> AbstractContextManager[StorageTransaction]:
        """Read and write all or nothing; an exception inside rolls back."""


class HttpResponse(Protocol):
    """The answer to a request over ``context.http``."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def data(self) -> bytes: ...
    def json(self) -> Any:
        """Return the body read as JSON."""


class Http(Protocol):
    """Requests to other servers. Needs ``network:fetch``."""

    def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = 10.0,
    ) -> HttpResponse:
        """Send one request; ``timeout`` is in seconds, a body over 10 MB raises ``TooLargeError``."""

    def get(self, url: str, **options: Any) -> HttpResponse: ...
    def post(self, url: str, **options: Any) -> HttpResponse: ...


class Users(Protocol):
    """The user behind the request or message at hand."""

    def current(self) -> UserContext | None:
        """Return who is behind what this thread is doing. Needs ``user:read``."""

    def get_preference(self, key: str, default: Any = None) -> Any:
        """Return what this plugin keeps for the current user under *key*. Needs ``user:read``."""

    def set_preference(self, key: str, value: Any) -> None:
        """Keep a JSON value for the current user. Needs ``user:write``."""


class Hooks(Protocol):
    """The hooks that this plugin specified itself, called at the plugins that implement them."""

    def call(self, name: str, /, **arguments: Any) -> list[tuple[str, Any]]:
        """Ask every enabled implementer; return ``(plugin id, value)`` in load order.

        One that raises, is late or breaks the schema is charged and left out.
        """


class PluginContext(Protocol):
    """What ``corehost_setup`` is handed. (Specification, ``PluginContext``.)

    ``config`` is a live read-only view; ``absent`` names the optional dependencies that are not enabled.
    """

    @property
    def plugin_id(self) -> str: ...
    @property
    def core(self) -> CoreApi: ...
    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def logger(self) -> Logger: ...
    @property
    def storage(self) -> PluginStorage: ...
    @property
    def http(self) -> Http: ...
    @property
    def users(self) -> Users: ...
    @property
    def hooks(self) -> Hooks: ...
    @property
    def absent(self) -> tuple[str, ...]: ...

    def every(self, seconds: float, work: Callable[[], Any]) -> Unsubscribe:
        """Call *work* in the plugin's lane every *seconds*, first after *seconds*; late turns are not made up for."""

    def later(self, seconds: float, work: Callable[[], Any]) -> Unsubscribe:
        """Call *work* in the plugin's lane once, after *seconds*."""

    def spawn(self, work: Callable[..., Any]) -> Unsubscribe:
        """Run *work* on a thread of its own; given a ``Signal`` if it takes one argument, aborted by the undo."""
