"""Describe plugins as JSON, for the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from corehost.contract.records import to_json
from corehost.plugins.declared import declared_by
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
        "loaded": plugin.is_loaded,
        "manifest": to_json(plugin.manifest) if plugin.manifest else None,
        "permissions": sorted(plugin.granted),
    }
    if plugin.proof is not None:
        entry["proof"] = plugin.proof.to_json()
    return entry if plugin.error is None else {**entry, "error": plugin.error}


def plugin_in_full(plugin: Plugin, live: LiveRoutes | None) -> dict[str, Any]:
    """Return all that is known of a plugin; what it declares only while it is loaded."""
    return {
        **plugin_entry(plugin),
        **declared_by(plugin),
        "absent": list(plugin.absent),
        "routes": _routes(live.app.planned if live and live.app else ()),
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
