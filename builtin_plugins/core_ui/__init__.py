"""Core UI: the shell around every page, its navigation and theme, and the components that other plugins build from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from builtin_plugins.core_ui.api import api_spec
from builtin_plugins.core_ui.appearance import Appearance
from builtin_plugins.core_ui.manifest import MANIFEST
from builtin_plugins.core_ui.messages import MESSAGES
from builtin_plugins.core_ui.routes import routes_spec
from builtin_plugins.core_ui.stores import stores_spec
from corehost import ApiSpec, Manifest, MessagesSpec, PluginContext, RoutesSpec, StoresSpec, UserContext, hookimpl

_appearance = Appearance()


@hookimpl
def corehost_manifest() -> Manifest:
    return MANIFEST


@hookimpl
def corehost_api() -> ApiSpec:
    return api_spec(_appearance)


@hookimpl
def corehost_routes() -> RoutesSpec:
    return routes_spec(_appearance)


@hookimpl
def corehost_messages() -> MessagesSpec:
    return MESSAGES


@hookimpl
def corehost_stores() -> StoresSpec:
    return stores_spec(_appearance)


@hookimpl
def corehost_setup(context: PluginContext) -> None:
    _appearance.start(context)


@hookimpl
def corehost_template_context(user: UserContext | None) -> Mapping[str, Any]:
    return {"shell": "core-ui/shell.html", "core_ui": _appearance.values()}
