"""Write plugins for hosts under measurement."""

from __future__ import annotations

import json
from pathlib import Path

_SOURCE = '''"""A plugin for a benchmark."""
from corehost import Manifest, Route, RouteMeta, RoutesSpec, hookimpl

context = None

@hookimpl
def corehost_manifest():
    return Manifest(id={id!r}, name={id!r}, version="1.0.0", description="For a benchmark.",
                    permissions=("plugins:communicate", "routes:register"))

@hookimpl
def corehost_routes():
    page = Route(path="/", view=lambda: "<p>A page.</p>", meta=RouteMeta(title={id!r}))
    return RoutesSpec(base_path="/{id}", routes=(page,))

@hookimpl
def corehost_setup(context):
    globals()["context"] = context  # for the benchmark, which runs in the same process
    context.core.messages.subscribe("{id}:*", lambda message: None)
'''

_ON_DEMAND = '''"""A plugin for a benchmark, loaded on demand."""
from corehost import ApiSpec, Handler, MessageSchema, MessagesSpec, Method, NavigationItem, Route, RoutesSpec, hookimpl

@hookimpl
def corehost_api():
    now = Method(handler=lambda input, context: "noon", description="Time.")
    return ApiSpec(version="1.0.0", methods={{"now": now}})

@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/{id}", routes=(Route(path="/", view=lambda: "<p>A page.</p>"),),
                      navigation=(NavigationItem(id={id!r}, label={id!r}, path="/{id}"),))

@hookimpl
def corehost_messages():
    return MessagesSpec(handlers={{"tick": Handler(handle=lambda message: None)}},
                        schemas={{"tick": MessageSchema(type="{id}:tick", payload={{}})}})
'''


def write_plugin(folder: Path, plugin_id: str) -> None:
    """Write a plugin with a page and a subscription into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{plugin_id.replace('-', '_')}.py").write_text(_SOURCE.format(id=plugin_id), encoding="utf-8")


def write_on_demand(folder: Path, plugin_id: str) -> None:
    """Write a plugin with a page, a menu entry, a method and a handler, and beside it a manifest that tells of them."""
    package = folder / plugin_id.replace("-", "_")
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text(_ON_DEMAND.format(id=plugin_id), encoding="utf-8")
    (package / "manifest.json").write_text(json.dumps(_manifest(plugin_id)), encoding="utf-8")


def _manifest(plugin_id: str) -> dict[str, object]:
    """Return what `corehost plugin build` makes of the plugin."""
    return {
        "id": plugin_id,
        "name": plugin_id,
        "version": "1.0.0",
        "description": "For a benchmark.",
        "permissions": ["api:expose", "plugins:communicate", "routes:register"],
        "activation": "on-demand",
        "contributes": {
            "basePath": f"/{plugin_id}",
            "navigation": [{"id": plugin_id, "label": plugin_id, "path": f"/{plugin_id}"}],
            "methods": {"now": {"description": "Time.", "permissions": [], "changes": True}},
            "messages": {
                "handlers": {"tick": {"priority": 0}},
                "schemas": {"tick": {"type": f"{plugin_id}:tick", "payload": {}, "expectsResponse": False}},
                "subscriptions": [],
            },
        },
    }
