"""The composition root of one isolated plugin's process."""

from __future__ import annotations

import io
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from corehost.contract.api import ApiSpec, MethodContext
from corehost.contract.errors import MethodNotFoundError, NotFoundError
from corehost.contract.message import HandlerContext, MessagesSpec
from corehost.contract.routes import RoutesSpec
from corehost.contract.schema import check, compile_schema
from corehost.contract.stores import Readable, StoresSpec, Writable
from corehost.contract.user import Signal
from corehost.plugins.coroutines import Coroutines
from corehost.plugins.hooks import PluginHooks, hook_manager
from corehost.plugins.isolation import memory, rehearsed, template
from corehost.plugins.isolation.declarations import KINDS, declaration_to_json, store_state
from corehost.plugins.isolation.order import Order
from corehost.plugins.isolation.remote import user_from_json
from corehost.plugins.isolation.rpc import Asked, Channel
from corehost.plugins.isolation.travel import OvertakenError, error_from_json
from corehost.plugins.isolation.worker_context import WorkerContext
from corehost.plugins.isolation.worker_core import message_from_wire
from corehost.plugins.isolation.worker_line import HostLine, during, hearing
from corehost.plugins.loader import Imported, Loader
from corehost.plugins.sources import Origin
from corehost.web.isolated_pages import IsolatedApp, IsolatedPages
from corehost.web.warming import warm_up

_TIMES: Final = 10
"""How often the template rehearses: by then the interpreter has written into the code what it found out about it."""


def main(control: int) -> None:
    """Be the template: fork a worker for each order that comes over the socket *control*."""
    _warm()  # what it imports late is there from here on
    memory.gather(_warm)
    for _ in range(_TIMES):
        _warm()
    with socket.socket(fileno=control) as connection:
        template.serve(connection, partial(work, Kit()))


class Kit:
    """What every plugin's process needs and uses once, made in the template; each process has its own copy of it."""

    def __init__(self) -> None:
        self.hooks = hook_manager()
        self.app = IsolatedApp()


def _warm() -> None:
    warm_up()
    rehearse()


def rehearse() -> None:
    """Be a worker from its first to its last, but for its threads, with a plugin that is none."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        origin = Origin(kind="local", name=rehearsed.ID, path=Path(rehearsed.__file__))
        worker = Worker(Kit(), rehearsed.ID, origin, ours, None, ended=lambda _reason: None)
        worker.serve(Asked(number=1, method="load", params=None, signal=Signal()))
        for hook in KINDS:
            worker.serve(Asked(number=1, method="declare", params=hook, signal=Signal()))
        worker.serve(Asked(number=1, method="hook", params=["corehost_setup", {}], signal=Signal()))
        worker.serve(Asked(number=1, method="method", params=["echo", 1, None, None], signal=Signal()))
        worker.close()


def work(kit: Kit, order: Order, line: socket.socket, door: socket.socket) -> None:
    """Be one plugin's process, confined already, until the host hangs up."""
    scratch = str(order.confinement.scratch)
    os.environ["TMPDIR"] = os.environ["HOME"] = scratch
    Worker(kit, order.plugin_id, order.origin, line, door).run()


def _end(_reason: str) -> None:
    os._exit(0)


class Worker:
    """One plugin in this process: answers what the host asks, and asks it for what the context offers.

    Nobody asks for pages without a *door*. *ended* is told why when the host has hung up.
    """

    def __init__(
        self,
        kit: Kit,
        plugin_id: str,
        origin: Origin,
        line: socket.socket,
        door: socket.socket | None,
        *,
        ended: Callable[[str], None] = _end,
    ) -> None:
        self._kit = kit
        self._plugin_id = plugin_id
        self._origin = origin
        self._coroutines = Coroutines(plugin_id)
        self._host = HostLine(self._coroutines.adapt)
        self._host.channel = self._channel = Channel(line, owner="the host", serve=self.serve, closed=ended)
        self._context = WorkerContext(plugin_id, self._host, self._coroutines.settle)
        self._door = door
        self._loader = Loader(is_new=True)
        self._loaded: Imported | None = None
        self._hooks: PluginHooks | None = None
        self._pages: IsolatedPages | None = None
        self._declared: dict[str, Any] = {}
        self._heard: dict[tuple[str, Any], Callable[..., Any]] = {}
        self._verbs: Mapping[str, Callable[..., Any]] = {
            "load": self._load,
            "declare": self._declare,
            "hook": self._ask_hook,
            "method": self._method,
            "handler": self._handler,
            "subscription": self._subscription,
            "heard": self._subscribed,
            "callback": self._callback,
            "store": self._set_store,
        }

    def run(self) -> None:
        """Work until the host hangs up."""
        sys.stdout = sys.stderr = _Printed(self._context.logger.info)
        self._channel.start()
        threading.Event().wait()  # this thread runs nothing of the plugin's: much behaves differently on the first

    def close(self) -> None:
        """Forget the plugin, for a process that goes on without it."""
        if self._loaded is not None:
            self._loaded.drop()
        self._loader.close()
        self._channel.close("its worker goes on without it")

    def serve(self, asked: Asked) -> Any:
        """Return what answers the host."""
        verb = self._verbs.get(asked.method)
        if verb is None:
            raise MethodNotFoundError(f"A worker does not know how to {asked.method!r}.")
        with during(asked.number):
            return verb(asked, asked.params)

    def _load(self, _asked: Asked, _params: Any) -> list[str]:
        self._loaded = self._loader.load(self._origin)
        assert self._loaded.module is not None  # imported here
        self._hooks = PluginHooks(self._plugin_id, self._loaded.module, manager=self._kit.hooks)
        return sorted(self._hooks.names())

    def _declare(self, _asked: Asked, hook: str) -> Any:
        assert self._hooks is not None  # loaded first
        value = self._coroutines.settle(self._hooks.ask(hook))
        data = declaration_to_json(self._plugin_id, hook, value)
        self._declared[hook] = value
        if isinstance(value, StoresSpec):
            self._follow(value)
        elif isinstance(value, MessagesSpec):
            self._prepare(value)
        elif isinstance(value, RoutesSpec):
            assert self._loaded is not None
            self._pages = IsolatedPages(self._plugin_id, self._loaded, value, self._coroutines, first_app=self._kit.app)
            self._context.core.routes.serve_more = self._pages.serve_more
            if self._door is not None:
                threading.Thread(target=self._pages.serve, args=(self._door,), name="pages", daemon=True).start()
        return data

    def _ask_hook(self, _asked: Asked, params: Any) -> Any:
        assert self._hooks is not None
        name, arguments = params
        if name in ("corehost_setup", "corehost_selftest"):
            arguments = {"context": self._context}
        elif name == "corehost_error":
            arguments = {"error": error_from_json(arguments["error"])}
        return self._coroutines.settle(self._hooks.ask(name, **arguments))

    def _method(self, asked: Asked, params: Any) -> Any:
        name, input, caller_id, user = params
        spec = self._declared.get("corehost_api")
        if not isinstance(spec, ApiSpec) or name not in spec.methods:
            raise MethodNotFoundError(f"There is no method {name!r}.")
        context = MethodContext(caller_id=caller_id, user=user_from_json(user), signal=asked.signal)
        return self._coroutines.settle(spec.methods[name].handler(input, context))

    def _handler(self, asked: Asked, params: Any) -> Any:
        return self._hear(asked, ("handler", params[0]), params)

    def _subscription(self, asked: Asked, params: Any) -> Any:
        return self._hear(asked, ("subscription", params[0]), params)

    def _hear(self, asked: Asked, which: tuple[str, Any], params: Any) -> Any:
        hear = self._heard.get(which)
        if hear is None:
            raise NotFoundError(f"There is no {which[0]} {which[1]!r}.")
        return self._tell(asked, hear, params)

    def _subscribed(self, asked: Asked, params: Any) -> Any:
        return self._tell(asked, self._host.function(params[0]), params)

    def _tell(self, asked: Asked, hear: Callable[..., Any], params: Any) -> Any:
        _, message, user = params
        return hear(message_from_wire(message), HandlerContext(signal=asked.signal, user=user_from_json(user)))

    def _callback(self, _asked: Asked, params: Any) -> Any:
        number, arguments = params
        self._host.function(number)(*arguments)

    def _set_store(self, _asked: Asked, params: Any) -> Any:
        name, value, version = params
        spec = self._declared.get("corehost_stores")
        store = spec.settable().get(name) if isinstance(spec, StoresSpec) else None
        if store is None:
            raise NotFoundError(f"There is no store {name!r} to set.")
        return [_put(store, value, version), *store_state(store)]

    def _prepare(self, spec: MessagesSpec) -> None:
        adapt = self._coroutines.adapt
        self._heard = {("handler", name): hearing(handler, adapt) for name, handler in spec.handlers.items()}
        for index, wanted in enumerate(spec.subscriptions):
            self._heard["subscription", index] = hearing(wanted.handler, adapt)

    def _follow(self, spec: StoresSpec) -> None:
        """Hold the stores to their schemas, and tell the host of each change."""
        for name, store in spec.settable().items():
            checker = compile_schema(spec.schemas.get(name))
            store.guard(partial(check, checker, what=f"The value of {self._plugin_id}/{name}"))
        for name, told in spec.all().items():
            self._tell_changes(name, told)

    def _tell_changes(self, name: str, store: Readable[Any]) -> None:
        store.subscribe(lambda _value: self._host.tell("store", name, store_state(store)))


def _put(store: Writable[Any], value: Any, version: int | None) -> bool:
    """Set *store*, if it still is at *version*; tell whether it was."""

    def change(_old: Any) -> Any:
        if version is not None and store.version != version:
            raise OvertakenError("The store has changed meanwhile.")
        return value

    try:
        store.update(change)
    except OvertakenError:
        return False
    return True


class _Printed(io.TextIOBase):
    """Makes lines of the log of what a plugin prints: there is no terminal here."""

    def __init__(self, write: Callable[..., None]) -> None:
        self._write = write
        self._begun = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        """Keep what is no whole line yet."""
        *lines, self._begun = (self._begun + text)[-100_000:].split("\n")
        for line in lines:
            self._write(line, printed=True)
        return len(text)
