"""Ask all enabled plugins a hook, one at a time, so that one of them can fail alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from corehost.contract.errors import Fault, InvalidError, MethodNotFoundError, PluginFaultError
from corehost.contract.user import Signal
from corehost.messaging.calls import Calls
from corehost.messaging.trail import current_trail
from corehost.plugins.deadlines import tamed
from corehost.plugins.faults import Faults
from corehost.plugins.hooks import OwnHooks
from corehost.plugins.registry import Plugin, Registry

Undo = Callable[[], None]

# Global because a context variable must be; it holds which hooks led to what this thread does.
_asking: ContextVar[frozenset[str]] = ContextVar("corehost_asking", default=frozenset())


class HostHooks:
    """Asks the host-wide hooks, in load order. An answer of ``None`` is none; who raises or is late is charged.

    A hook is not asked again from within itself: a plugin that decides permissions may call others that need one.
    """

    def __init__(self, registry: Registry, calls: Calls, faults: Faults, *, seconds: float = 10.0) -> None:
        self._registry = registry
        self._calls = calls
        self._faults = faults
        self._seconds = seconds
        self._live: dict[str, set[str]] = {}
        # Together, as many threads ask: what was found among some plugins must not be taken for what is among others.
        self._found: tuple[tuple[Plugin, ...], dict[str, tuple[Plugin, ...]]] = ((), {})

    def __call__(self, plugin: Plugin) -> Undo:
        """Ask a plugin that goes live, from the moment on in which it is enabled."""
        names = plugin.hooks.names() if plugin.hooks else frozenset()
        for name in names:
            self._live.setdefault(name, set()).add(plugin.id)
        return lambda: self._forget(plugin.id, names)

    def ask(self, name: str, /, **arguments: Any) -> list[tuple[str, Any]]:
        """Return plugin id and value of every plugin that answers."""
        return list(self._answers(name, arguments))

    def first(self, name: str, /, **arguments: Any) -> Any:
        """Return the first answer, ``None`` if nobody has one."""
        return next((value for _, value in self._answers(name, arguments)), None)

    def first_by(self, name: str, /, **arguments: Any) -> tuple[str, Any] | None:
        """Return the first answer with the id of the plugin that gave it, ``None`` if nobody has one."""
        return next(self._answers(name, arguments), None)

    def implementers(self, name: str) -> tuple[Plugin, ...]:
        """Return the enabled plugins that implement the hook, in load order."""
        enabled = self._registry.enabled()
        among, found = self._found
        if among is not enabled:
            found = {}
            self._found = (enabled, found)
        if name not in found:
            live = self._live.get(name)
            found[name] = tuple(plugin for plugin in enabled if plugin.id in live) if live else ()
        return found[name]

    def ask_own(self, owner: Plugin, name: str, arguments: Mapping[str, Any]) -> list[tuple[str, Any]]:
        """Ask a hook that *owner* specified; raises ``MethodNotFoundError`` for one that it did not."""
        own = owner.contracts.own_hooks if owner.contracts else None
        if own is None or name not in own.names:
            hint = own.nearest(name) if own else "Return it from 'corehost_hookspecs'."
            raise MethodNotFoundError(f"Plugin {owner.id!r} specifies no hook {name!r}. {hint}".strip())
        if set(arguments) != set(own.arguments(name)):
            wanted = ", ".join(own.arguments(name)) or "no arguments"
            raise InvalidError(f"The hook {name!r} is called with {wanted}.")
        found = []
        for plugin_id, value in self._answers(name, arguments):
            if self._keeps_schema(own, name, plugin_id, value):
                found.append((plugin_id, value))
                if own.is_first(name):
                    break
        return found

    def ask_one(
        self, plugin: Plugin, name: str, /, *, through: type[Exception] | tuple[()] = (), **arguments: Any
    ) -> Any:
        """Return what one plugin answers; what it raises is charged to it, but for errors of the kind *through*.

        A hook is not asked from within itself: the answer is then ``None``.
        """
        if name in _asking.get():
            return None
        started = time.monotonic()
        try:
            return self._call(plugin, name, arguments)
        except through:
            raise
        except Exception as error:  # noqa: BLE001  # a plugin may raise anything; the next is still asked
            self._faults.charge(plugin.id, error, where="hook")
            return None
        finally:
            self._faults.took(plugin.id, "hook", time.monotonic() - started)

    def _forget(self, plugin_id: str, names: Iterable[str]) -> None:
        for name in names:
            self._live[name].discard(plugin_id)

    def _answers(self, name: str, arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for plugin in self.implementers(name):
            value = self.ask_one(plugin, name, **arguments)
            if value is not None:
                yield plugin.id, value

    def _call(self, plugin: Plugin, name: str, arguments: Mapping[str, Any]) -> Any:
        hooks = plugin.hooks
        if hooks is None:  # it was switched off a moment ago
            return None
        asking = _asking.get() | {name}

        def work() -> Any:
            with _marked(asking):
                return plugin.settle(hooks.ask(name, **arguments))

        return self._calls.call(plugin.id, tamed(work), timeout=self._seconds, trail=current_trail(), signal=Signal())

    def _keeps_schema(self, own: OwnHooks, name: str, plugin_id: str, value: Any) -> bool:
        faults: list[Fault] = own.checker(name)(value)
        if faults:
            text = f"Plugin {plugin_id!r} answers the hook {name!r} with what breaks its schema."
            listed = "; ".join(map(str, faults))
            self._faults.charge(plugin_id, PluginFaultError(f"{text} {listed}", plugin_id=plugin_id), where="hook")
        return not faults


@contextmanager
def _marked(asking: frozenset[str]) -> Iterator[None]:
    token = _asking.set(asking)
    try:
        yield
    finally:
        _asking.reset(token)
