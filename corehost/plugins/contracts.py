"""Collect what a plugin declares, and name everything in it that breaks the contract."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from corehost.contract.api import ApiSpec
from corehost.contract.errors import Fault, ManifestError
from corehost.contract.hookspecs import HookspecsSpec
from corehost.contract.message import MessagesSpec
from corehost.contract.permissions import API_EXPOSE, PLUGINS_COMMUNICATE, ROUTES_REGISTER, PermissionSet
from corehost.contract.records import faults_of
from corehost.contract.routes import RoutesSpec
from corehost.contract.schema import Checker, compile_schema
from corehost.contract.stores import StoresSpec
from corehost.plugins.hooks import OwnHooks

Ask = Callable[[str], Any]

_DECLARATIONS: tuple[tuple[str, type, str | None], ...] = (
    ("api", ApiSpec, API_EXPOSE),
    ("routes", RoutesSpec, ROUTES_REGISTER),
    ("messages", MessagesSpec, PLUGINS_COMMUNICATE),
    ("stores", StoresSpec, None),
    ("hookspecs", HookspecsSpec, None),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """What one load of a plugin declared, with its schemas compiled: ``inputs`` and ``outputs`` by method name,
    ``values`` by store name."""

    api: ApiSpec | None = None
    routes: RoutesSpec | None = None
    messages: MessagesSpec | None = None
    stores: StoresSpec | None = None
    hookspecs: HookspecsSpec | None = None
    inputs: Mapping[str, Checker] = field(default_factory=dict)
    outputs: Mapping[str, Checker] = field(default_factory=dict)
    values: Mapping[str, Checker] = field(default_factory=dict)
    own_hooks: OwnHooks | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a plugin's declarations must keep to: ``granted`` permissions of those ``asked`` for, the ``base_path`` that
    it may serve, and the ids of the ``others``, its own maybe among them, whose message types are theirs."""

    granted: PermissionSet
    base_path: str
    others: Collection[str]
    asked: Collection[str] = ()


def collect(plugin_id: str, ask: Ask, limits: Limits) -> Contracts:
    """Ask for every declaration and return them; raises ``ManifestError`` with the faults of all at once."""
    faults: list[Fault] = []
    declared = {name: ask(f"corehost_{name}") for name, _, _ in _DECLARATIONS}
    for name, kind, _ in _DECLARATIONS:
        faults += (_below(fault, f"/{name}") for fault in _form_faults(declared[name], kind))
    faults += _permission_faults(plugin_id, declared, limits)
    if not faults:
        faults += _rule_faults(plugin_id, declared, limits)
    compiler = _Compiler(faults)
    contracts = Contracts(**declared, **compiler.all_of(plugin_id, declared)) if not faults else None
    if contracts is None or faults:
        raise ManifestError(f"Plugin {plugin_id!r} breaks the contract.", faults)
    return contracts


def require_allowed(plugin_id: str, declared: Mapping[str, Any], limits: Limits) -> None:
    """Raise ``ManifestError`` if the plugin may not declare what *declared* holds by the hooks' names."""
    if faults := [*_permission_faults(plugin_id, declared, limits), *_rule_faults(plugin_id, declared, limits)]:
        raise ManifestError(f"Plugin {plugin_id!r} breaks the contract.", faults)


class _Compiler:
    """Compiles the schemas of a plugin and notes those that are not valid in *faults*."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults

    def all_of(self, plugin_id: str, declared: Mapping[str, Any]) -> dict[str, Any]:
        """Return the compiled fields of ``Contracts``."""
        api, messages, stores = declared["api"], declared["messages"], declared["stores"]
        methods = dict(api.methods) if api else {}
        for name, schema in (messages.schemas if messages else {}).items():
            self._compile(schema.payload, f"/messages/schemas/{name}/payload")
            self._compile(schema.response, f"/messages/schemas/{name}/response")
        return {
            "inputs": {n: self._compile(m.input_schema, f"/api/methods/{n}/inputSchema") for n, m in methods.items()},
            "outputs": {
                n: self._compile(m.output_schema, f"/api/methods/{n}/outputSchema") for n, m in methods.items()
            },
            "values": self._stores(stores) if stores else {},
            "own_hooks": self._own_hooks(plugin_id, declared["hookspecs"]),
        }

    def _compile(self, schema: Any, path: str) -> Checker:
        try:
            return compile_schema(schema)
        except ManifestError as error:
            self._faults.append(Fault(path=path, message=error.text))
            return compile_schema(None)

    def _stores(self, stores: StoresSpec) -> dict[str, Checker]:
        checkers = {}
        for name, store in stores.all().items():
            checkers[name] = self._compile(stores.schemas.get(name), f"/stores/schemas/{name}")
            self._faults += (_below(fault, f"/stores/{name}") for fault in checkers[name](store.get()))
        return checkers

    def _own_hooks(self, plugin_id: str, spec: HookspecsSpec | None) -> OwnHooks | None:
        if spec is None:
            return None
        try:
            return OwnHooks(plugin_id, spec)
        except ManifestError as error:
            self._faults += (_below(f, "/hookspecs") for f in error.faults or [Fault(path="", message=error.text)])
            return None


def _form_faults(value: Any, kind: type) -> list[Fault]:
    if value is None:
        return []
    if not isinstance(value, kind):
        return [Fault(path="", message=f"Must be a {kind.__name__}, not a {type(value).__name__}.")]
    return faults_of(value)


def _permission_faults(plugin_id: str, declared: Mapping[str, Any], limits: Limits) -> Iterator[Fault]:
    for name, _, permission in _DECLARATIONS:
        if declared.get(name) is None or permission is None or permission in limits.granted:
            continue
        way_out = "Add it to the manifest's permissions."
        if permission in limits.asked:
            way_out = f"It was not granted: 'corehost plugin grant {plugin_id} {permission}' does it."
        text = f"Declares {name}, which needs the permission {permission!r}. {way_out}"
        yield Fault(path="/manifest/permissions", message=text)


def _rule_faults(plugin_id: str, declared: Mapping[str, Any], limits: Limits) -> Iterator[Fault]:
    if (routes := declared["routes"]) is not None:
        yield from _route_faults(routes, limits.base_path)
    if (messages := declared["messages"]) is not None:
        for name, schema in messages.schemas.items():
            owner = schema.type.partition(":")[0]
            if owner != plugin_id and (owner == "core" or owner in limits.others):
                text = f"The type {schema.type!r} belongs to {owner!r}. Use one that begins with '{plugin_id}:'."
                yield Fault(path=f"/messages/schemas/{name}/type", message=text)


def _route_faults(routes: RoutesSpec, allowed: str) -> Iterator[Fault]:
    if routes.base_path != allowed and not routes.base_path.startswith(f"{allowed}/"):
        text = f"{routes.base_path!r} must be {allowed!r} or below it, unless the operator grants another."
        yield Fault(path="/routes/basePath", message=text)
    static = PurePosixPath(routes.static)
    if static.is_absolute() or ".." in static.parts or "\\" in routes.static:
        yield Fault(path="/routes/static", message=f"{routes.static!r} must be a folder inside of the plugin's own.")


def _below(fault: Fault, path: str) -> Fault:
    return Fault(path=f"{path}{fault.path}", message=fault.message)
