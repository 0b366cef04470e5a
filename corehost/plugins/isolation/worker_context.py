"""The context of a plugin in a process of its own: the same as in the host's, and every door leads there."""

from __future__ import annotations

import inspect
import json as jsonlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from corehost.contract.errors import BusyError, InvalidError
from corehost.contract.user import Signal, UserContext
from corehost.plugins.isolation.remote import user_from_json
from corehost.plugins.isolation.worker_core import WorkerCore
from corehost.plugins.isolation.worker_line import HostLine, Undo
from corehost.plugins.live_view import LiveView

_MOST_THREADS: Final = 32
_JOIN_SECONDS: Final = 5.0


class WorkerContext:
    """What ``corehost_setup`` is handed. *settle* waits for what a coroutine becomes."""

    def __init__(self, plugin_id: str, line: HostLine, settle: Callable[[Any], Any]) -> None:
        self.plugin_id = plugin_id
        self._line = line
        self._settle = settle
        self._places = threading.Semaphore(_MOST_THREADS)
        self.core = WorkerCore(line)
        self.config: Mapping[str, Any] = LiveView(lambda: dict(line.ask("config")))
        self.logger = WorkerLogger(line)
        self.storage = WorkerStorage(line)
        self.http = WorkerHttp(line)
        self.users = WorkerUsers(line)
        self.hooks = WorkerHooks(line)

    @property
    def absent(self) -> tuple[str, ...]:
        """The optional dependencies that are not enabled."""
        return tuple(self._line.ask("absent"))

    def every(self, seconds: float, work: Callable[[], Any]) -> Undo:
        """Call *work* in the plugin's lane every *seconds*."""
        return self._line.open("every", work, seconds)

    def later(self, seconds: float, work: Callable[[], Any]) -> Undo:
        """Call *work* in the plugin's lane once, after *seconds*."""
        return self._line.open("later", work, seconds)

    def spawn(self, work: Callable[..., Any]) -> Undo:
        """Run *work* on a thread of its own; the undo aborts its signal and waits up to 5 s for its end."""
        if not self._places.acquire(blocking=False):
            raise BusyError(f"Plugin {self.plugin_id!r} runs {_MOST_THREADS} threads already. End one first.")
        signal = Signal()

        def run() -> None:
            try:
                self._settle(work(signal) if _takes_signal(work) else work())
            except BaseException as error:  # noqa: BLE001  # the thread ends here, whatever the plugin raised
                self.logger.error("a spawned thread failed", error=f"{type(error).__name__}: {error}")
            finally:
                self._places.release()

        thread = threading.Thread(target=run, name=f"plugin-{self.plugin_id}-spawned", daemon=True)
        thread.start()

        def undo() -> None:
            signal.abort()
            if thread is not threading.current_thread():
                thread.join(_JOIN_SECONDS)

        return undo


class WorkerLogger:
    """Writes to the host's log."""

    def __init__(self, line: HostLine) -> None:
        self._line = line

    def debug(self, message: str, *args: Any, **values: Any) -> None:
        """Log what only an author needs."""
        self._write("debug", message, args, values)

    def info(self, message: str, *args: Any, **values: Any) -> None:
        """Log what went as it should."""
        self._write("info", message, args, values)

    def warning(self, message: str, *args: Any, **values: Any) -> None:
        """Log what may need attention."""
        self._write("warning", message, args, values)

    def error(self, message: str, *args: Any, **values: Any) -> None:
        """Log what failed."""
        self._write("error", message, args, values)

    def exception(self, message: str, *args: Any, **values: Any) -> None:
        """Log what failed; the exception itself stays in this process."""
        self._write("error", message, args, values)

    def _write(self, level: str, message: str, args: tuple[Any, ...], values: dict[str, Any]) -> None:
        text = str(message)
        if args:
            try:
                text = text % args
            except (TypeError, ValueError):  # a line with the wrong number of places is still worth having
                values = {**values, "args": [str(each) for each in args]}
        shown = {name: v if isinstance(v, str | int | float | bool | None) else repr(v) for name, v in values.items()}
        self._line.tell("log", level, text, shown)


class WorkerStorage:
    """The plugin's storage; what a thread does inside of its transaction belongs to that."""

    def __init__(self, line: HostLine) -> None:
        self._line = line
        self._local = threading.local()

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of *key*."""
        return self._do("get", key, default)

    def set(self, key: str, value: Any) -> None:
        """Keep *value* under *key*."""
        self._do("set", key, value)

    def delete(self, key: str) -> None:
        """Forget *key*."""
        self._do("delete", key)

    def clear(self) -> None:
        """Forget everything."""
        self._do("clear")

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that begin with *prefix*, sorted."""
        return list(self._do("keys", prefix))

    @contextmanager
    def transaction(self) -> Iterator[WorkerStorage]:
        """Read and write all or nothing; an inner transaction is part of the outer."""
        if self._now() is not None:
            yield self
            return
        number = self._local.number = self._line.ask("transaction")
        is_kept = False
        try:
            yield self
            is_kept = True
        finally:
            self._local.number = None
            self._line.ask("transaction.end", number, is_kept)

    def _now(self) -> int | None:
        return getattr(self._local, "number", None)

    def _do(self, verb: str, *arguments: Any) -> Any:
        number = self._now()
        if number is None:
            return self._line.ask(f"storage.{verb}", *arguments)
        return self._line.ask("transaction.do", number, verb, list(arguments))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerResponse:
    """The answer to a request."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    def json(self) -> Any:
        """Return the body read as JSON; raises ``InvalidError``."""
        try:
            return jsonlib.loads(self.data)
        except (ValueError, RecursionError) as error:
            raise InvalidError(f"The answer is no JSON: {error}.") from error


class WorkerHttp:
    """Requests to other servers, which the host sends."""

    def __init__(self, line: HostLine) -> None:
        self._line = line

    def request(self, method: str, url: str, *, timeout: float = 10.0, **options: Any) -> WorkerResponse:
        """Send one request; an answer over 900 kB raises ``TooLargeError``."""
        headers = dict(options.pop("headers", None) or {})
        wanted = {"method": method, "url": url, "timeout": timeout, "headers": headers, **options}
        answer = self._line.ask("http", wanted, seconds=timeout + 5)
        return WorkerResponse(**answer)

    def get(self, url: str, **options: Any) -> WorkerResponse:
        """Send a GET request."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> WorkerResponse:
        """Send a POST request."""
        return self.request("POST", url, **options)


class WorkerUsers:
    """The user behind what the plugin is doing."""

    def __init__(self, line: HostLine) -> None:
        self._line = line

    def current(self) -> UserContext | None:
        """Return the user, ``None`` if nobody is behind it."""
        return user_from_json(self._line.ask("users.current"))

    def get_preference(self, key: str, default: Any = None) -> Any:
        """Return what the plugin keeps for the current user under *key*."""
        return self._line.ask("users.get_preference", key, default)

    def set_preference(self, key: str, value: Any) -> None:
        """Keep a JSON value for the current user."""
        self._line.ask("users.set_preference", key, value)


class WorkerHooks:
    """The hooks that the plugin specified itself."""

    def __init__(self, line: HostLine) -> None:
        self._line = line

    def call(self, name: str, /, **arguments: Any) -> list[tuple[str, Any]]:
        """Ask every enabled implementer; return ``(plugin id, value)`` in load order."""
        return [(plugin_id, value) for plugin_id, value in self._line.ask("hooks.call", name, **arguments)]


def _takes_signal(work: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(work).parameters.values()
    except (TypeError, ValueError):  # something built in: it has no signature to look at
        return False
    return any(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty for p in parameters)
