"""Analytics: counts what passes over the bus, by type and time, and shows it."""

from __future__ import annotations

from typing import Any

from builtin_plugins.analytics.api import api_spec
from builtin_plugins.analytics.manifest import MANIFEST
from builtin_plugins.analytics.messages import messages_spec
from builtin_plugins.analytics.recorder import Recorder
from builtin_plugins.analytics.routes import routes_spec
from builtin_plugins.analytics.stores import stores_spec
from builtin_plugins.analytics.widgets import WIDGETS
from corehost import ApiSpec, Manifest, MessagesSpec, PluginContext, RoutesSpec, StoresSpec, UserContext, hookimpl

_recorder = Recorder()


@hookimpl
def corehost_manifest() -> Manifest:
    return MANIFEST


@hookimpl
def corehost_api() -> ApiSpec:
    return api_spec(_recorder)


@hookimpl
def corehost_routes() -> RoutesSpec:
    return routes_spec(_recorder)


@hookimpl
def corehost_messages() -> MessagesSpec:
    return messages_spec(_recorder)


@hookimpl
def corehost_stores() -> StoresSpec:
    return stores_spec(_recorder)


@hookimpl
def corehost_setup(context: PluginContext) -> None:
    _recorder.start(context)


@hookimpl
def corehost_unload() -> None:
    _recorder.stop()


@hookimpl(optionalhook=True)
def dashboard_widgets(user: UserContext | None) -> list[dict[str, Any]]:
    return WIDGETS
