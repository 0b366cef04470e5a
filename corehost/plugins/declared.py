"""Tell as JSON what a loaded plugin declares, so that two versions of it can be compared."""

from __future__ import annotations

from typing import Any

from corehost.contract.api import ApiSpec
from corehost.contract.message import MessagesSpec
from corehost.contract.records import to_json
from corehost.contract.schema import json_schema_of
from corehost.contract.stores import StoresSpec
from corehost.plugins.registry import Plugin


def declared_by(plugin: Plugin) -> dict[str, Any]:
    """Return the plugin's contracts: ``api``, ``methods``, ``messages``, ``basePath``, ``navigation``, ``stores``.

    All are empty while the plugin is not loaded.
    """
    spec = plugin.routes
    return {
        "api": plugin.api.version if plugin.api else None,
        "methods": _methods(plugin.api),
        "messages": _messages(plugin.id, plugin.messages),
        "basePath": spec.base_path if spec else None,
        "navigation": to_json(spec.navigation) if spec else [],
        "stores": _stores(plugin.stores),
    }


def _methods(api: ApiSpec | None) -> dict[str, Any]:
    if api is None:
        return {}
    methods: dict[str, Any] = to_json(api.methods)
    for name, documented in (to_json(api.docs.methods) if api.docs else {}).items():
        methods[name]["docs"] = documented
    return methods


def _messages(plugin_id: str, spec: MessagesSpec | None) -> dict[str, Any]:
    if spec is None:
        return {"handlers": [], "schemas": {}, "subscriptions": []}
    return {
        "handlers": [f"{plugin_id}:{name}" for name in spec.handlers],
        "schemas": to_json(spec.schemas),
        "subscriptions": [{"type": s.type, **({"source": s.source} if s.source else {})} for s in spec.subscriptions],
    }


def _stores(spec: StoresSpec | None) -> dict[str, Any]:
    if spec is None:
        return {"readable": [], "writable": [], "schemas": {}}
    return {
        "readable": sorted(spec.readable),
        "writable": sorted(spec.writable),
        "schemas": {name: json_schema_of(schema) for name, schema in spec.schemas.items()},
    }
