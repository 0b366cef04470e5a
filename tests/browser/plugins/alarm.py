"""Alarm: a plugin that needs the clock."""

from __future__ import annotations

from corehost import Manifest, PluginDependency, hookimpl


@hookimpl
def corehost_manifest() -> Manifest:
    return Manifest(
        id="alarm",
        name="Alarm",
        version="1.0.0",
        description="Rings.",
        dependencies=(PluginDependency(plugin_id="clock", version="^1.0.0"),),
    )
