"""Dashboard: one page of widgets, its own and those that other plugins contribute, laid out by each user."""

from __future__ import annotations

from builtin_plugins.dashboard import hookspecs
from builtin_plugins.dashboard.api import api_spec
from builtin_plugins.dashboard.board import Board
from builtin_plugins.dashboard.manifest import MANIFEST
from builtin_plugins.dashboard.messages import messages_spec
from builtin_plugins.dashboard.routes import routes_spec
from builtin_plugins.dashboard.stores import stores_spec
from builtin_plugins.dashboard.widgets import CONTRIBUTED_SCHEMA
from corehost import (
    ApiSpec,
    HookspecsSpec,
    Manifest,
    MessagesSpec,
    PluginContext,
    RoutesSpec,
    StoresSpec,
    hookimpl,
)

_board = Board()


@hookimpl
def corehost_manifest() -> Manifest:
    return MANIFEST


@hookimpl
def corehost_api() -> ApiSpec:
    return api_spec(_board)


@hookimpl
def corehost_routes() -> RoutesSpec:
    return routes_spec(_board)


@hookimpl
def corehost_messages() -> MessagesSpec:
    return messages_spec(_board)


@hookimpl
def corehost_stores() -> StoresSpec:
    return stores_spec(_board.stores)


@hookimpl
def corehost_hookspecs() -> HookspecsSpec:
    return HookspecsSpec(namespace=hookspecs, schemas={"dashboard_widgets": CONTRIBUTED_SCHEMA})


@hookimpl
def corehost_setup(context: PluginContext) -> None:
    _board.start(context)


@hookimpl
def corehost_enable() -> None:
    _board.context.logger.info("Dashboard enabled")


@hookimpl
def corehost_disable() -> None:
    _board.context.logger.info("Dashboard disabled")


@hookimpl
def corehost_teardown() -> None:
    _board.context.logger.info("Dashboard plugin cleaning up...")
