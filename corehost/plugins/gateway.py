"""Call a plugin's methods and reach its stores, for plugins, users and the host."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from corehost.contract.api import Method, MethodContext
from corehost.contract.errors import (
    ConflictError,
    CorehostError,
    LateError,
    NotFoundError,
    PermissionDeniedError,
    PluginFaultError,
)
from corehost.contract.permissions import USER_READ, manage_of, use_of
from corehost.contract.schema import Checker, check
from corehost.contract.stores import Readable, Writable
from corehost.contract.user import Signal, UserContext
from corehost.messaging.calls import Calls
from corehost.messaging.trail import Trail, current_trail
from corehost.plugins.callee import is_off, method_of
from corehost.plugins.deadlines import described, tamed
from corehost.plugins.faults import Faults
from corehost.plugins.gate import Gate
from corehost.plugins.hops import next_trail
from corehost.plugins.permissions import Permissions
from corehost.plugins.registry import Plugin, Registry
from corehost.plugins.store_view import StoreView, value_if_unchanged
from corehost.state.audit import AuditLog

HOST = "core"
"""Who calls when the host itself does; it may call everything."""
_STORE_SECONDS = 10.0
"""How long a subscriber or a computed store of the owner may take."""
Undo = Callable[[], None]


class _BrokenPromiseError(Exception):
    """A method returned what its output schema forbids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asker:
    """Who wants something: the plugin ``caller``, ``core`` or ``None``, and the user behind it."""

    caller: str | None
    user: UserContext | None


class Gateway:
    """The one way into a plugin from outside of its lane. Whoever names neither caller nor user is refused."""

    def __init__(
        self, registry: Registry, permissions: Permissions, calls: Calls, faults: Faults, audit: AuditLog
    ) -> None:
        self._registry = registry
        self._permissions = permissions
        self._calls = calls
        self._faults = faults
        self._audit = audit
        self._gates: dict[str, Gate] = {}
        self._views: dict[tuple[str, str], StoreView] = {}

    def call(
        self,
        plugin_id: str,
        method: str,
        input: Any = None,
        *,
        caller: str | None = None,
        user: UserContext | None = None,
        timeout: float = 30.0,
    ) -> Any:
        """Call a method and return its result; *timeout* is in seconds.

        Raises ``NotFoundError``, ``DisabledError``, ``MethodNotFoundError``, ``PermissionDeniedError``,
        ``InvalidError`` (the input), ``LateError``, ``BusyError``, ``HopLimitError``; ``PluginFaultError`` if the
        method raised what is no ``CorehostError`` or broke its output schema.
        """
        return self.submit(plugin_id, method, input, caller=caller, user=user, timeout=timeout).result()

    def submit(
        self,
        plugin_id: str,
        method: str,
        input: Any = None,
        *,
        caller: str | None = None,
        user: UserContext | None = None,
        timeout: float = 30.0,
    ) -> Future[Any]:
        """Begin a call and return its future; what forbids the call is raised at once.

        Cancelling the future tells the method that nobody waits.
        """
        plugin = self._enabled(plugin_id)
        declared = method_of(plugin, method)
        asker = _Asker(caller=caller, user=user)
        self._require(
            asker, plugin, declared.permissions or (use_of(plugin_id),), f"call {plugin_id}.{method}", declared
        )
        contracts = plugin.contracts
        if contracts is None:
            raise is_off(plugin)
        check(contracts.inputs[method], input, f"The input of {plugin_id}.{method}")
        if declared.changes:
            self._note("plugin:call", asker, f"{plugin_id}.{method}")
        return self._begin_method(plugin, method, declared, contracts.outputs[method], input, asker, timeout)

    def store(self, plugin_id: str, name: str) -> Readable[Any]:
        """Return a store of a plugin to follow; its subscribers are called in whichever thread sets it."""
        self._declared_store(self._enabled(plugin_id), name)
        return self._view(plugin_id, name)

    def read_store(
        self, plugin_id: str, name: str, *, user: UserContext | None = None, caller: str | None = None
    ) -> tuple[Any, int]:
        """Return value and version of a store; a user needs ``plugin:<id>:use``."""
        plugin = self._enabled(plugin_id)
        self._require(_Asker(caller=caller, user=user), plugin, (use_of(plugin_id),), f"read {plugin_id}/{name}")
        store, view = self._declared_store(plugin, name), self._view(plugin_id, name)
        if isinstance(store, Writable):
            return view.snapshot()
        # A derived store computes its value with the plugin's code.
        found: tuple[Any, int] = self._contained(plugin, view.snapshot, f"the store {name!r}")
        return found

    def write_store(
        self,
        plugin_id: str,
        name: str,
        value: Any,
        *,
        version: int | None = None,
        user: UserContext | None = None,
        caller: str | None = None,
    ) -> tuple[Any, int]:
        """Set a writable store and return value and version; needs ``plugin:<id>:manage``.

        With *version*, only if that is still the store's; raises ``ConflictError`` if it has changed.
        """
        plugin = self._enabled(plugin_id)
        self._require(_Asker(caller=caller, user=user), plugin, (manage_of(plugin_id),), f"set {plugin_id}/{name}")
        store = self._declared_store(plugin, name)
        if not isinstance(store, Writable) or plugin.stores is None or name not in plugin.stores.writable:
            raise ConflictError(f"The store {name!r} of plugin {plugin_id!r} can only be read.")
        if plugin.contracts is not None:
            check(plugin.contracts.values[name], value, f"The value of {plugin_id}/{name}")
        self._note("plugin:write-store", _Asker(caller=caller, user=user), f"{plugin_id}/{name}")
        view = self._view(plugin_id, name)
        replace = value_if_unchanged(store, value, None if version is None else view.inner_version(version))
        self._contained(plugin, lambda: store.update(replace), f"a subscriber of the store {name!r}")
        return view.snapshot()

    def open_methods(self, plugin: Plugin) -> Undo:
        """Let calls in; the undo lets no more in and waits for nobody."""
        gate = self._gates[plugin.id] = Gate(plugin.id)
        return gate.close

    def open_stores(self, plugin: Plugin) -> Undo:
        """Show the plugin's stores to others; the undo hides them."""
        spec, contracts = plugin.stores, plugin.contracts
        if spec is None or contracts is None:
            return lambda: None
        closers = ExitStack()
        for name, store in spec.all().items():
            # A store that is set is guarded against a wrong value at once; a computed one is looked at when read.
            view = self._view(plugin.id, name)
            view.bind(store, None if isinstance(store, Writable) else contracts.values[name])
            closers.callback(view.unbind)
        return closers.close

    def drain(self, plugin: Plugin, until: float) -> bool:
        """Wait until the last call has left, at most until *until* on the monotonic clock; tell whether it has."""
        gate = self._gates.pop(plugin.id, None)
        return gate is None or gate.wait_empty(until)

    def _begin_method(
        self,
        plugin: Plugin,
        name: str,
        method: Method,
        check_output: Checker,
        input: Any,
        asker: _Asker,
        timeout: float,
    ) -> Future[Any]:
        what = f"{plugin.id}.{name}"
        trail = next_trail(asker.user, timeout)
        signal = Signal(trail.deadline)
        gate = self._gates.get(plugin.id)
        if gate is None:
            raise is_off(plugin)
        context = MethodContext(
            caller_id=None if asker.caller == HOST else asker.caller,
            user=asker.user if USER_READ in plugin.granted else None,
            signal=signal,
        )

        def work() -> Any:
            with gate.entered():
                result = plugin.settle(method.handler(input, context))
            if faults := check_output(result):
                raise _BrokenPromiseError(f"{what} broke its output schema. {'; '.join(map(str, faults))}")
            return result

        return self._begin(plugin, work, what, trail=trail, signal=signal)

    def _contained(self, plugin: Plugin, work: Callable[[], Any], what: str) -> Any:
        trail = next_trail(current_trail().user, _STORE_SECONDS)
        return self._begin(plugin, work, what, trail=trail, signal=Signal(trail.deadline)).result()

    def _begin(
        self, plugin: Plugin, work: Callable[[], Any], what: str, *, trail: Trail, signal: Signal
    ) -> Future[Any]:
        """Run the plugin's code on one of its threads; what it raises by mistake is charged to it."""
        left = None if trail.deadline is None else max(0.0, trail.deadline - time.monotonic())

        def late(future: Future[Any]) -> None:
            if not future.cancelled() and isinstance(error := future.exception(), LateError):
                self._faults.charge(plugin.id, error, where="method")

        future = self._calls.submit(
            plugin.id, self._charged, plugin, work, what, timeout=left, trail=trail, signal=signal
        )
        future.add_done_callback(late)
        return future

    def _charged(self, plugin: Plugin, work: Callable[[], Any], what: str) -> Any:
        started = time.monotonic()
        try:
            return tamed(work)()
        except PluginFaultError as error:
            if error.plugin_id:  # another plugin's, which this one called
                raise
            self._faults.charge(plugin.id, error, where="method")
            raise PluginFaultError(f"{what} failed: {error.text}", plugin_id=plugin.id) from error
        except CorehostError:
            raise  # the plugin, or one that it called, refuses on purpose
        except Exception as error:
            self._faults.charge(plugin.id, error, where="method")
            is_promise = isinstance(error, _BrokenPromiseError)
            text = str(error) if is_promise else f"{what} failed with {described(error)}"
            raise PluginFaultError(text, plugin_id=plugin.id) from error
        finally:
            self._faults.took(plugin.id, "method", time.monotonic() - started)

    def _note(self, action: str, asker: _Asker, subject: str) -> None:
        """Enter what a person does themselves; what plugins do to one another is theirs, and too much to keep."""
        if asker.user is not None and asker.caller is None:
            self._audit.note(action, actor=f"user:{asker.user.id}", subject=subject)

    def _require(
        self, asker: _Asker, plugin: Plugin, permissions: Iterable[str], what: str, method: Method | None = None
    ) -> None:
        if asker.caller == HOST and asker.user is None:
            return
        if asker.caller is None and asker.user is None:
            raise PermissionDeniedError(f"Nobody may {what}. Sign in first.", subject="nobody")
        if asker.user is not None:
            for permission in permissions:
                self._permissions.require_user(asker.user, permission, what)
        if asker.caller not in (None, HOST, plugin.id):
            self._require_caller(self._registry.get(str(asker.caller)), permissions, what, method)

    def _require_caller(self, caller: Plugin, permissions: Iterable[str], what: str, method: Method | None) -> None:
        """Plugins may call and read without more than the door's ``plugins:communicate``, unless the callee asks."""
        is_free = all(permission.endswith(":use") for permission in permissions) and not (method and method.permissions)
        for permission in () if is_free else permissions:
            self._permissions.require_plugin(caller, permission, what)

    def _enabled(self, plugin_id: str) -> Plugin:
        plugin = self._registry.get(plugin_id)
        if plugin.sleep is not None:
            plugin.sleep.end()
        if not plugin.is_enabled:
            raise is_off(plugin)
        return plugin

    def _declared_store(self, plugin: Plugin, name: str) -> Readable[Any]:
        spec = plugin.stores
        found = spec.all().get(name) if spec else None
        if found is None:
            raise NotFoundError(f"Plugin {plugin.id!r} has no store {str(name)[:80]!r}.")
        return found

    def _view(self, plugin_id: str, name: str) -> StoreView:
        return self._views.setdefault((plugin_id, name), StoreView(plugin_id, name))
