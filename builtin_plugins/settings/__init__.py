"""Settings: a form for what every plugin can be told, and the list of plugins with a switch for each."""

from __future__ import annotations

from builtin_plugins.settings.api import api_spec
from builtin_plugins.settings.desk import Desk
from builtin_plugins.settings.manifest import MANIFEST
from builtin_plugins.settings.messages import messages_spec
from builtin_plugins.settings.routes import routes_spec
from builtin_plugins.settings.stores import stores_spec
from corehost import ApiSpec, Manifest, MessagesSpec, PluginContext, RoutesSpec, StoresSpec, hookimpl

_desk = Desk()


@hookimpl
def corehost_manifest() -> Manifest:
    return MANIFEST


@hookimpl
def corehost_api() -> ApiSpec:
    return api_spec(_desk)


@hookimpl
def corehost_routes() -> RoutesSpec:
    return routes_spec(_desk)


@hookimpl
def corehost_messages() -> MessagesSpec:
    return messages_spec(_desk)


@hookimpl
def corehost_stores() -> StoresSpec:
    return stores_spec(_desk)


@hookimpl
def corehost_setup(context: PluginContext) -> None:
    _desk.start(context)
