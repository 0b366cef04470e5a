"""Broken: a plugin that cannot start."""

from __future__ import annotations

from corehost import Manifest, PluginContext, hookimpl


@hookimpl
def corehost_manifest() -> Manifest:
    return Manifest(id="broken", name="Broken", version="0.1.0", description="Does not start.")


@hookimpl
def corehost_setup(context: PluginContext) -> None:
    raise KeyError("token")
