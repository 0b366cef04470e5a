"""Carry one plugin through its life, from import to the last undo."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any, TypeVar

from corehost.contract.errors import CorehostError, LateError, PluginFaultError
from corehost.contract.manifest import Manifest
from corehost.contract.schema import Checker, check
from corehost.plugins.context import Context
from corehost.plugins.contracts import Limits, collect
from corehost.plugins.contributions import require_built
from corehost.plugins.coroutines import Coroutines
from corehost.plugins.deadlines import described, run_with_deadline
from corehost.plugins.dependencies import absent_of
from corehost.plugins.hooks import PluginHooks
from corehost.plugins.isolation.runner import START_SECONDS
from corehost.plugins.loader import Imported
from corehost.plugins.manifests import agreed_manifest, read_manifest, require_runnable
from corehost.plugins.registry import Plugin
from corehost.plugins.surroundings import Surroundings

T = TypeVar("T")
Undo = Callable[[], None]


class Life:
    """One stay of a plugin in memory. Whatever it opens lies on one stack, so that every end is the same unwinding.

    ``was_set_up`` tells whether its setup was begun: then it is torn down, however far that came. The methods are
    called on the life-cycle thread only; each of the plugin's hooks runs on a thread of its own.
    """

    def __init__(self, plugin: Plugin, host: Surroundings) -> None:
        self.plugin = plugin
        self._host = host
        self._stack = ExitStack()
        self._live = ExitStack()
        self._context: Context | None = None
        self._passed: set[str] = set()
        self.was_set_up = False
        self._failures: list[Exception] = []
        self._starting = 0.0
        self._early: list[tuple[str, float]] = []  # what took how long before the version was known

    def open(self) -> Manifest:
        """Import the plugin and return its manifest."""
        began = time.monotonic()
        plugin, host = self.plugin, self._host
        if plugin.origin.kind == "external":
            plugin.proof = host.external.refresh(plugin.origin)
        path = plugin.origin.manifest_path
        beside = host.loader.held_manifest(plugin.origin) or (read_manifest(path) if path else None)
        is_isolated = self._is_isolated(beside)
        if beside is not None:
            host.grants.require_consent(plugin, beside)
            require_runnable(beside, is_isolated=is_isolated)  # before any of its code runs
        host.registry.change(plugin, "loading")
        plugin.generation += 1
        self._keep("forgetting", self._forget_code)
        if is_isolated:
            self._start_process()
        else:
            self._import()
        plugin.coroutines = Coroutines(plugin.id)
        self._keep("closing the event loop", plugin.coroutines.close)
        manifest = agreed_manifest(beside, self._ask("corehost_manifest"), plugin.origin)
        require_runnable(manifest, is_isolated=is_isolated)
        self._starting = time.monotonic() - began
        return manifest

    def load(self) -> None:
        """Carry the opened plugin from ``loading`` through ``loaded`` to ``enabled``."""
        began = time.monotonic()
        plugin, host = self.plugin, self._host
        for what, seconds in self._early:
            host.faults.took(plugin.id, what, seconds)
        self._grant()
        self._declare()
        self._keep("closing its settings", host.config.open(plugin))
        if plugin.sleep is None:  # else it has joined while it slept
            rank = host.registry.position(plugin.id)
            self._keep("leaving the bus", host.bus.join(plugin.id, rank=rank, settle=plugin.settle))
        self._context = host.contexts.open(plugin)
        self._keep("closing its context", self._context.close)
        self._keep("leaving", self._take_leave)
        self._ask("corehost_before_load")
        self.was_set_up = True
        self._ask("corehost_setup", context=self._context)
        host.registry.change(plugin, "loaded")
        self._ask("corehost_load")
        host.announce.plugin(plugin, "loaded")
        self._ask("corehost_enable")
        for part in host.parts:
            self._live.callback(self._contained, "going off", part(plugin))
        host.registry.change(plugin, "enabled")
        host.faults.took(plugin.id, "start", self._starting + time.monotonic() - began)
        host.announce.plugin(plugin, "enabled")

    def test_itself(self) -> None:
        """Ask the plugin's own test; raises ``PluginFaultError`` with its text if it fails."""
        self._ask("corehost_selftest", context=self._context)

    def close(self) -> Exception | None:
        """Unwind everything and return what failed first on the way; nothing keeps the rest from being undone."""
        self._stack.close()
        return self._failures[0] if self._failures else None

    def tell_error(self, error: BaseException) -> None:
        """Tell the plugin that a step of its life failed; what it makes of that changes nothing."""
        told = error if isinstance(error, Exception) else PluginFaultError(repr(error), plugin_id=self.plugin.id)
        try:
            self._ask("corehost_error", error=told)
        except CorehostError:  # charged already; the first error is the one that counts
            return

    def _is_isolated(self, beside: Manifest | None) -> bool:
        """Tell whether the plugin runs in a process of its own; decided before any of its code runs."""
        origin = self.plugin.origin
        wanted = beside is not None and beside.isolation == "process"
        return wanted or origin.kind == "external" or origin.plugin_id in self._host.isolated

    def _import(self) -> None:
        plugin = self.plugin
        plugin.imported = imported = self._timed("import", lambda: self._host.loader.load(plugin.origin))
        assert imported.module is not None  # it was imported here
        plugin.hooks = PluginHooks(plugin.id, imported.module)

    def _start_process(self) -> None:
        plugin, host = self.plugin, self._host
        seconds = host.hook_seconds + START_SECONDS  # it keeps to its own deadlines, and cleans up behind itself
        started = self._timed("import", lambda: host.isolation.start(plugin), seconds=seconds)
        plugin.hooks, plugin.line, end = started
        plugin.imported = Imported(module=None, folder=plugin.origin.folder, drop=end)

    def _grant(self) -> None:
        plugin, host = self.plugin, self._host
        assert plugin.manifest is not None  # what "open" returned
        needs = (host.registry.find(dependency.plugin_id) for dependency in plugin.manifest.dependencies)
        versions = {other.id: other.version for other in needs if other is not None and other.is_enabled}
        plugin.absent = absent_of(plugin.manifest, versions)
        host.grants.apply(plugin)

    def _declare(self) -> None:
        """Collect the contracts; from here on no store takes a value that breaks its schema."""
        plugin, host = self.plugin, self._host
        limits = Limits(
            granted=plugin.granted,
            asked=plugin.manifest.permissions if plugin.manifest else (),
            base_path=host.base_paths.get(plugin.id, f"/{plugin.id}"),
            others=host.registry.ids(),
        )
        plugin.contracts = contracts = collect(plugin.id, self._ask, limits)
        require_built(plugin)
        for name, store in contracts.stores.settable().items() if contracts.stores else ():
            store.guard(_guard(contracts.values[name], f"The value of {plugin.id}/{name}"))
            self._keep("releasing a store", partial(store.guard, None))

    def _take_leave(self) -> None:
        """Say goodbye in the order of the specification, as far as the plugin had come."""
        if "corehost_enable" in self._passed:
            self._say("corehost_disable")
        until = time.monotonic() + self._host.drain_seconds
        self._host.registry.change(self.plugin, "unloading")
        self._live.close()
        if self._context is not None:
            self._contained("ending its work", self._context.hush)
        self._drain(until)
        if "corehost_load" in self._passed:
            self._say("corehost_unload")
        if self.was_set_up:
            self._say("corehost_teardown")

    def _drain(self, until: float) -> None:
        """Wait for calls and for the message at hand; with its subscriptions off, nothing new comes in."""
        is_empty = self._host.gateway.drain(self.plugin, until)
        idle = threading.Event()
        if self._host.lanes.submit(self.plugin.id, idle.set, where="drain"):
            is_empty = idle.wait(max(0.0, until - time.monotonic())) and is_empty
        if not is_empty:
            text = f"Plugin {self.plugin.id!r} was still busy when it was switched off."
            self._host.faults.charge(self.plugin.id, LateError(text), where="drain")

    def _forget_code(self) -> None:
        plugin = self.plugin
        imported, plugin.imported = plugin.imported, None
        plugin.hooks = plugin.contracts = plugin.coroutines = plugin.line = None
        plugin.absent = ()
        self._context = None
        if imported is not None:
            imported.drop()

    def _say(self, hook: str) -> None:
        """Ask *hook* while unwinding: what it raises is noted and told, and the unwinding goes on."""
        try:
            self._ask(hook)
        except CorehostError as error:
            self._failures.append(error)
            self.tell_error(error)

    def _ask(self, hook: str, **arguments: Any) -> Any:
        """Ask one hook on a thread of its own; whatever goes wrong is charged and raised as a ``CorehostError``."""
        hooks, answer = self.plugin.hooks, None
        if hooks is not None and hooks.has(hook):
            answer = self._timed(hook, lambda: self.plugin.settle(hooks.ask(hook, **arguments)))
        self._passed.add(hook)
        return answer

    def _timed(self, what: str, work: Callable[[], T], *, seconds: float | None = None) -> T:
        plugin, faults = self.plugin, self._host.faults
        started = time.monotonic()
        try:
            return run_with_deadline(
                lambda: self._inspected(work),
                seconds=self._host.hook_seconds if seconds is None else seconds,
                what=f"{what!r} of plugin {plugin.id!r}",
                name=f"plugin-{plugin.id}",
            )
        except LateError as error:
            faults.charge(plugin.id, error, where="hook")
            raise
        except Exception as error:
            faults.charge(plugin.id, error, where="hook")
            text = f"{what!r} of plugin {plugin.id!r} failed: {described(error)}"
            raise PluginFaultError(text, plugin_id=plugin.id) from error
        finally:
            # Apart from "hook": what the host asks of all plugins keeps others waiting, this only the plugin itself.
            self._took("import" if what == "import" else "life", time.monotonic() - started)

    def _took(self, what: str, seconds: float) -> None:
        if not self.plugin.version:
            self._early.append((what, seconds))
        else:
            self._host.faults.took(self.plugin.id, what, seconds)

    def _inspected(self, work: Callable[[], T]) -> T:
        try:
            return work()
        finally:
            # At once, on the same thread: what was changed may be needed by whatever runs next.
            self._host.inspect(self.plugin.id)

    def _keep(self, what: str, undo: Undo) -> None:
        self._stack.callback(self._contained, what, undo)

    def _contained(self, what: str, undo: Undo) -> None:
        try:
            undo()
        except Exception as error:  # noqa: BLE001  # an undo may run the plugin's code; what is left must be undone all the same
            self._host.faults.charge(self.plugin.id, error, where="unload")
            text = f"{what} of plugin {self.plugin.id!r} failed: {described(error)}"
            self._failures.append(PluginFaultError(text, plugin_id=self.plugin.id))


def _guard(checker: Checker, what: str) -> Callable[[Any], None]:
    return lambda value: check(checker, value, what)
