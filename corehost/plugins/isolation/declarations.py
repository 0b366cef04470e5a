"""Carry what a plugin declares from its process to the host: data as it is, functions as ways to call them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from corehost.contract.api import ApiDocumentation, ApiSpec, Method
from corehost.contract.errors import CorehostError, Fault, ManifestError
from corehost.contract.hookspecs import HookspecsSpec, hookspec
from corehost.contract.manifest import Manifest
from corehost.contract.message import Handler, MessageSchema, MessagesSpec, SubscriptionSpec
from corehost.contract.records import faults_of, from_json, to_json
from corehost.contract.routes import NavigationItem, Route, RouteMeta, RoutesSpec
from corehost.contract.schema import json_schema_of
from corehost.contract.stores import Readable, StoresSpec, Writable
from corehost.plugins.hooks import OwnHooks

KINDS: Mapping[str, type] = {
    "corehost_manifest": Manifest,
    "corehost_api": ApiSpec,
    "corehost_routes": RoutesSpec,
    "corehost_messages": MessagesSpec,
    "corehost_stores": StoresSpec,
    "corehost_hookspecs": HookspecsSpec,
}
"""What each hook that asks for a declaration returns."""


class Ways(Protocol):
    """Makes functions, for the host, that call those in the plugin's process."""

    def method(self, name: str) -> Callable[..., Any]: ...
    def handler(self, name: str) -> Callable[..., Any]: ...
    def subscription(self, index: int) -> Callable[..., Any]: ...
    def page(self) -> Callable[..., Any]: ...
    def store(self, name: str, state: Any, *, is_settable: bool) -> Readable[Any]: ...


# --- in the plugin's process ---


def declaration_to_json(plugin_id: str, hook: str, value: Any) -> Any:
    """Return what *hook* returned in JSON's types; raises ``ManifestError`` with every fault."""
    if value is None:
        return None
    kind = KINDS[hook]
    if not isinstance(value, kind):
        what = Fault(path="", message=f"Must be a {kind.__name__}, not a {type(value).__name__}.")
        raise ManifestError(f"{hook!r} of plugin {plugin_id!r} returns something else.", [what])
    if faults := faults_of(value):
        raise ManifestError(f"What {hook!r} of plugin {plugin_id!r} returns breaks the contract.", faults)
    if isinstance(value, StoresSpec):
        return _stores_json(value)
    if isinstance(value, HookspecsSpec):
        own = OwnHooks(plugin_id, value)
        hooks = {name: {"arguments": list(own.arguments(name)), "first": own.is_first(name)} for name in own.names}
        return {"hooks": hooks, "schemas": {name: json_schema_of(s) for name, s in value.schemas.items()}}
    data = to_json(value)
    if isinstance(value, RoutesSpec):
        data |= {"routes": routes_to_json(value.routes), "hasBlueprint": value.blueprint is not None}
    return data


def routes_to_json(routes: Iterable[Route]) -> list[dict[str, Any]]:
    """Return routes in JSON's types; of guards, layouts and views no more than whether there is one to ask."""
    return [
        {
            "path": route.path,
            "hasView": route.view is not None,
            "meta": to_json(route.meta),
            "children": routes_to_json(route.children),
            "methods": list(route.methods),
        }
        for route in routes
    ]


def store_state(store: Readable[Any]) -> list[Any]:
    """Return value and version of a store as they are sent."""
    return list(store.snapshot())


def _stores_json(spec: StoresSpec) -> dict[str, Any]:
    return {
        "readable": {name: store_state(store) for name, store in spec.readable.items()},
        "writable": {name: store_state(store) for name, store in spec.writable.items()},
        "settable": sorted(spec.settable()),
        "schemas": {name: json_schema_of(schema) for name, schema in spec.schemas.items()},
    }


# --- in the host, which believes nothing of it ---


def declaration_from_json(hook: str, data: Any, ways: Ways) -> Any:
    """Return the declaration that came as *data*; raises ``ManifestError`` if it cannot be one.

    What it says is checked afterwards, as a declaration made in this process is.
    """
    if data is None:
        return None
    try:
        return _READERS[hook](data, ways)
    except CorehostError:
        raise
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise ManifestError(
            f"{hook!r} came from the plugin's process in a form that cannot be read: {error}."
        ) from error


def _api(data: Any, ways: Ways) -> ApiSpec:
    methods = {
        name: Method(
            handler=ways.method(name),
            description=kept.get("description"),
            input_schema=kept.get("inputSchema"),
            output_schema=kept.get("outputSchema"),
            permissions=tuple(kept.get("permissions", ())),
            changes=kept.get("changes") is not False,
        )
        for name, kept in data.get("methods", {}).items()
    }
    docs = from_json(ApiDocumentation, data["docs"]) if data.get("docs") is not None else None
    return ApiSpec(version=data["version"], methods=methods, docs=docs)


def _messages(data: Any, ways: Ways) -> MessagesSpec:
    handlers = {
        name: Handler(handle=ways.handler(name), priority=kept.get("priority", 0))
        for name, kept in data.get("handlers", {}).items()
    }
    schemas = {name: from_json(MessageSchema, kept) for name, kept in data.get("schemas", {}).items()}
    subscriptions = tuple(
        SubscriptionSpec(
            type=kept["type"],
            handler=Handler(handle=ways.subscription(index), priority=kept["handler"].get("priority", 0)),
            source=tuple(source) if isinstance(source := kept.get("source"), list) else source,
        )
        for index, kept in enumerate(data.get("subscriptions", ()))
    )
    return MessagesSpec(handlers=handlers, schemas=schemas, subscriptions=subscriptions)


def _routes(data: Any, ways: Ways) -> RoutesSpec:
    return RoutesSpec(
        base_path=data["basePath"],
        routes=routes_from_json(data.get("routes", ()), ways),
        navigation=tuple(from_json(NavigationItem, kept) for kept in data.get("navigation", ())),
        static=data.get("static", "static"),
        blueprint=ways.page() if data.get("hasBlueprint") else None,
    )


def routes_from_json(data: Any, ways: Ways) -> tuple[Route, ...]:
    """Return routes whose pages are asked for in the plugin's process; guards and layouts are at work there."""
    return tuple(
        Route(
            path=kept["path"],
            view=ways.page() if kept["hasView"] else None,
            meta=from_json(RouteMeta, kept.get("meta", {})),
            children=routes_from_json(kept.get("children", ()), ways),
            methods=tuple(kept.get("methods", ("GET",))),
        )
        for kept in data
    )


def _stores(data: Any, ways: Ways) -> StoresSpec:
    settable = {*data["writable"], *data.get("settable", ())}
    made = {
        kind: {name: ways.store(name, state, is_settable=name in settable) for name, state in data[kind].items()}
        for kind in ("readable", "writable")
    }
    writable = {name: store for name, store in made["writable"].items() if isinstance(store, Writable)}
    return StoresSpec(readable=made["readable"], writable=writable, schemas=dict(data.get("schemas", {})))


def _hookspecs(data: Any, _ways: Ways) -> HookspecsSpec:
    hooks = dict(_specified(data["hooks"]))
    return HookspecsSpec(namespace=type("Hooks", (), hooks), schemas=dict(data.get("schemas", {})))


def _specified(hooks: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, kept in hooks.items():

        def hook(self: Any) -> None:
            """Stand for a hook that is specified in another process."""

        # pluggy reads the names of a hook's arguments off the code.
        names = ("self", *map(str, kept["arguments"]))
        hook.__code__ = hook.__code__.replace(co_argcount=len(names), co_nlocals=len(names), co_varnames=names)
        hook.__qualname__ = f"Hooks.{name}"  # where it looks whether the first is "self"
        yield name, hookspec(firstresult=bool(kept["first"]))(hook)


_READERS: Mapping[str, Callable[[Any, Ways], Any]] = {
    "corehost_manifest": lambda data, _: from_json(Manifest, data),
    "corehost_api": _api,
    "corehost_routes": _routes,
    "corehost_messages": _messages,
    "corehost_stores": _stores,
    "corehost_hookspecs": _hookspecs,
}
