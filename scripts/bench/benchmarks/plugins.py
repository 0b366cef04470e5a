"""Write plugins for hosts under measurement."""

from __future__ import annotations

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


def write_plugin(folder: Path, plugin_id: str) -> None:
    """Write a plugin with a page and a subscription into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{plugin_id.replace('-', '_')}.py").write_text(_SOURCE.format(id=plugin_id), encoding="utf-8")
