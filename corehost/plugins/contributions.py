"""Tell what a plugin contributes as its manifest.json does, and build that up again without its code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from corehost.contract.errors import DisabledError, Fault, ManifestError
from corehost.contract.manifest import Contributions, Manifest
from corehost.contract.records import from_json, to_json
from corehost.contract.routes import RoutesSpec
from corehost.contract.stores import Readable, readable, writable
from corehost.plugins.contracts import Contracts
from corehost.plugins.declared import declared_by
from corehost.plugins.isolation.declarations import declaration_from_json
from corehost.plugins.registry import Plugin

WAY_OUT = "Run 'corehost plugin build' in its folder."


class Handlers(Protocol):
    """Makes what is called in place of a message handler."""

    def __call__(self, name: str) -> Callable[..., Any]: ...


def contributions_of(plugin: Plugin) -> dict[str, Any]:
    """Return the ``contributes`` part of the manifest of a plugin that is loaded, in JSON's types."""
    declared, messages = declared_by(plugin), plugin.messages
    kept: dict[str, Any] = {"navigation": declared["navigation"], "methods": declared["methods"]}
    if declared["basePath"] is not None:
        kept["basePath"] = declared["basePath"]
    if messages is not None:
        handlers = {name: {"priority": handler.priority} for name, handler in messages.handlers.items()}
        kept["messages"] = {**declared["messages"], "handlers": handlers}
    if plugin.stores is not None:
        kept["stores"] = declared["stores"]
    return _normal(from_json(Contributions, kept))


def require_built(plugin: Plugin) -> None:
    """Raise ``ManifestError`` if manifest.json tells of other contributions than the code of a loaded plugin."""
    told = plugin.manifest.contributes if plugin.manifest else None
    if told is None:
        return
    left, right = _normal(told), contributions_of(plugin)
    faults = [
        Fault(path=f"/contributes/{name}", message="Is another in the code.")
        for name in sorted({*left, *right})
        if left.get(name) != right.get(name)
    ]
    if faults:
        raise ManifestError(f"manifest.json and the code of {plugin.id!r} contribute differently. {WAY_OUT}", faults)


def contracts_from(manifest: Manifest, handlers: Handlers) -> Contracts:
    """Return what *manifest* contributes as contracts without code; raises ``ManifestError``.

    Methods, pages and stores are there to be listed; *handlers* makes what is called for messages.
    """
    told = manifest.contributes or Contributions()
    messages, stores, ways = told.messages, told.stores, _Ways(handlers)
    try:
        return Contracts(
            api=declaration_from_json("corehost_api", _api(manifest, told.methods), ways) if told.methods else None,
            routes=RoutesSpec(base_path=told.base_path, navigation=told.navigation) if told.base_path else None,
            messages=declaration_from_json("corehost_messages", {**messages, "subscriptions": ()}, ways)
            if messages
            else None,
            stores=declaration_from_json("corehost_stores", _stores(stores), ways) if stores else None,
        )
    except (ManifestError, LookupError, TypeError) as error:
        text = f"The 'contributes' in the manifest of {manifest.id!r} cannot be read. {WAY_OUT}"
        raise ManifestError(text) from error


class _Ways:
    """Functions for contracts whose code is not there."""

    def __init__(self, handlers: Handlers) -> None:
        self.handler = handlers

    def method(self, name: str) -> Callable[..., Any]:
        return _absent

    def subscription(self, index: int) -> Callable[..., Any]:
        return _absent

    def page(self) -> Callable[..., Any]:
        return _absent

    def store(self, name: str, state: Any, *, is_settable: bool) -> Readable[Any]:
        return writable(state) if is_settable else readable(state)


def _absent(*_: Any) -> Any:
    """Stand for code that is not in memory; whoever wants to call it wakes the plugin first."""
    raise DisabledError("This plugin is loaded on demand, and its code is not there yet. Wake it first.")


def _normal(contributes: Contributions) -> dict[str, Any]:
    """Return the contributions in JSON's types, without what is empty."""
    return {name: value for name, value in to_json(contributes).items() if value not in (None, [], {})}


def _api(manifest: Manifest, methods: Mapping[str, Any]) -> dict[str, Any]:
    docs = {name: method["docs"] for name, method in methods.items() if "docs" in method}
    about = {"title": manifest.name, "description": manifest.description, "methods": docs}
    return {"version": manifest.version, "methods": methods, **({"docs": about} if docs else {})}


def _stores(stores: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {kind: dict.fromkeys(stores.get(kind, ())) for kind in ("readable", "writable")}
    return {**kinds, "schemas": stores.get("schemas", {})}
