"""Ask one plugin through its own hook implementations, and find those that no hook fits."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, Protocol

import pluggy

from corehost.contract import hookspecs
from corehost.contract.errors import Fault, ManifestError
from corehost.contract.hookspecs import PROJECT, HookspecsSpec
from corehost.contract.schema import Checker, compile_schema

_PREFIX = f"{PROJECT}_"
HOOKS = frozenset(name for name in vars(hookspecs) if name.startswith(_PREFIX))
"""The names of all hooks that the host asks for."""


class Hooks(Protocol):
    """The hook implementations of one plugin, wherever its code runs."""

    def has(self, name: str) -> bool:
        """Tell whether the plugin implements the hook."""

    def ask(self, name: str, **arguments: Any) -> Any:
        """Return what the plugin's implementation returns, maybe a coroutine; ``None`` without an implementation."""

    def names(self) -> frozenset[str]:
        """Return the hooks that the plugin implements, those of other plugins included."""


class PluginHooks:
    """The hook implementations of one plugin, in a plugin manager that is thrown away with it.

    Raises ``ManifestError`` for an implementation of a hook that does not exist, or with arguments that the hook
    does not have, naming all of them and the nearest hook each.
    """

    def __init__(self, plugin_id: str, module: ModuleType, *, manager: pluggy.PluginManager | None = None) -> None:
        self._manager = manager or hook_manager()
        try:
            self._manager.register(module, name=plugin_id)
        except pluggy.PluginValidationError as error:
            raise ManifestError(f"Plugin {plugin_id!r} breaks a hook's form: {error}") from error
        if faults := [*self._unknown(), *_unmarked(module)]:
            raise ManifestError(f"Plugin {plugin_id!r} implements what is no hook.", faults)
        self._names = frozenset(name for name, hook in vars(self._manager.hook).items() if hook.get_hookimpls())

    def has(self, name: str) -> bool:
        """Tell whether the plugin implements the hook."""
        return name in self._names

    def ask(self, name: str, **arguments: Any) -> Any:
        """Return what the plugin's implementation returns, maybe a coroutine; ``None`` without an implementation."""
        if not self.has(name):
            return None
        answer = getattr(self._manager.hook, name)(**arguments)
        # One plugin has one implementation: the list that pluggy makes of it holds one value or none.
        return next(iter(answer), None) if isinstance(answer, list) and not self._is_first(name) else answer

    def names(self) -> frozenset[str]:
        """Return the hooks that the plugin implements, those of other plugins included."""
        return self._names

    def _is_first(self, name: str) -> bool:
        spec = getattr(self._manager.hook, name).spec
        return spec is not None and bool(spec.opts.get("firstresult"))

    def _unknown(self) -> Iterator[Fault]:
        for name, caller in vars(self._manager.hook).items():
            if not caller.has_spec() and not all(i.optionalhook for i in caller.get_hookimpls()):
                yield Fault(path=f"/{name}", message=_advice(name))


def hook_manager() -> pluggy.PluginManager:
    """Return a manager that knows the hooks and no plugin yet; for one plugin."""
    made = pluggy.PluginManager(PROJECT)
    made.add_hookspecs(hookspecs)
    return made


class OwnHooks:
    """The hooks that one plugin specifies for others; raises ``ManifestError`` for what cannot be one."""

    def __init__(self, plugin_id: str, spec: HookspecsSpec) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        try:
            self._manager.add_hookspecs(spec.namespace)
        except ValueError as error:
            raise ManifestError(f"Plugin {plugin_id!r} specifies no hooks: {error}. Mark them @hookspec.") from error
        self.names = frozenset(name for name, hook in vars(self._manager.hook).items() if hook.has_spec())
        prefix = f"{plugin_id.replace('-', '_')}_"
        faults = [*_badly_named(self.names, prefix), *_without_hook(spec.schemas, self.names)]
        self._checkers: dict[str, Checker] = {}
        for name in self.names:
            try:
                self._checkers[name] = compile_schema(spec.schemas.get(name))
            except ManifestError as error:
                faults.append(Fault(path=f"/schemas/{name}", message=error.text))
        if faults:
            raise ManifestError(f"Plugin {plugin_id!r} specifies hooks wrongly.", faults)

    def arguments(self, name: str) -> tuple[str, ...]:
        """Return the names of the hook's arguments."""
        return tuple(getattr(self._manager.hook, name).spec.argnames)

    def is_first(self, name: str) -> bool:
        """Tell whether the first answer ends the asking."""
        return bool(getattr(self._manager.hook, name).spec.opts.get("firstresult"))

    def checker(self, name: str) -> Checker:
        """Return what checks an implementer's value."""
        return self._checkers[name]

    def nearest(self, name: str) -> str:
        """Return advice on which hook was meant."""
        return _nearest(name, self.names)


def _unmarked(module: ModuleType) -> Iterator[Fault]:
    """Find functions that are named as a hook but not marked: pluggy would silently never call them."""
    for name, member in vars(module).items():
        is_own = inspect.isfunction(member) and member.__module__ == module.__name__
        if name.startswith(_PREFIX) and is_own and not hasattr(member, f"{PROJECT}_impl"):
            what = "Is not marked; put @hookimpl above it." if name in HOOKS else _advice(name)
            yield Fault(path=f"/{name}", message=what)


def _advice(name: str) -> str:
    if name.startswith(_PREFIX):
        return f"There is no such hook. {_nearest(name, HOOKS)}"
    mark = "A hook of another plugin is marked @hookimpl(optionalhook=True)."
    return f"There is no such hook of the host. {_nearest(name, HOOKS)} {mark}".replace("  ", " ")


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"Did you mean {near[0]!r}?" if near else ""


def _badly_named(names: Iterable[str], prefix: str) -> Iterator[Fault]:
    for name in sorted(names):
        if not name.startswith(prefix):
            yield Fault(path=f"/namespace/{name}", message=f"Must begin with {prefix!r}, so that it is nobody else's.")


def _without_hook(schemas: Mapping[str, Any], names: frozenset[str]) -> Iterator[Fault]:
    for name in sorted(set(schemas) - names):
        yield Fault(path=f"/schemas/{name}", message=f"There is no hook {name!r}. {_nearest(name, names)}".strip())
