"""Describe plugins as JSON, for the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from corehost.contract.api import ApiSpec
from corehost.contract.message import MessagesSpec
from corehost.contract.records import to_json
from corehost.contract.schema import json_schema_of
from corehost.contract.stores import StoresSpec
from corehost.plugins.registry import Plugin
from corehost.web.live_routes import LiveRoutes
from corehost.web.routing import PlannedRoute


def plugin_entry(plugin: Plugin) -> dict[str, Any]:
    """Return one item of the list of plugins. (Specification, ``PluginManifestEntry``.)"""
    entry: dict[str, Any] = {
        "id": plugin.id,
        "source": plugin.origin.to_json(),
        "enabled": plugin.is_enabled,
        "status": plugin.status,
        "manifest": to_json(plugin.manifest) if plugin.manifest else None,
        "permissions": sorted(plugin.granted),
    }
    return entry if plugin.error is None else {**entry, "error": plugin.error}


def plugin_in_full(plugin: Plugin, live: LiveRoutes | None) -> dict[str, Any]:
    """Return all that is known of a plugin; what it declares only while it is loaded."""
    spec = plugin.routes
    return {
        **plugin_entry(plugin),
        "absent": list(plugin.absent),
        "api": plugin.api.version if plugin.api else None,
        "methods": _methods(plugin.api),
        "messages": _messages(plugin.id, plugin.messages),
        "basePath": spec.base_path if spec else None,
        "routes": _routes(live.app.planned if live and live.app else ()),
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


def _routes(planned: Iterable[PlannedRoute]) -> list[dict[str, Any]]:
    return [
        {
            "path": route.pattern,
            "methods": list(route.methods),
            "meta": to_json(route.meta),
            "permissions": list(route.permissions),
        }
        for route in planned
    ]


def _stores(spec: StoresSpec | None) -> dict[str, Any]:
    if spec is None:
        return {"readable": [], "writable": [], "schemas": {}}
    return {
        "readable": sorted(spec.readable),
        "writable": sorted(spec.writable),
        "schemas": {name: json_schema_of(schema) for name, schema in spec.schemas.items()},
    }
