"""The pages of the dashboard and its place in the menu."""

from __future__ import annotations

from typing import Any

from builtin_plugins.dashboard.board import Board
from corehost import Guard, NavigationItem, Page, Route, RouteContext, RouteMeta, RoutesSpec, page

NAVIGATION = (
    NavigationItem(
        id="dashboard-main",
        label="Dashboard",
        path="/dashboard",
        icon="speedometer2",
        order=1,
        children=(NavigationItem(id="dashboard-widgets", label="Widgets", path="/dashboard/widgets", order=1),),
    ),
)


def may_manage(context: RouteContext) -> bool:
    """Tell whether the visitor may arrange widgets."""
    return context.user is not None and "dashboard:manage" in context.user.permissions


DASHBOARD = RouteMeta(title="Dashboard", description="Main dashboard view", icon="speedometer2", order=1)
WIDGETS = RouteMeta(
    title="Widget Settings", description="Manage dashboard widgets", order=2, permissions=("storage:write",)
)
MANAGERS = Guard(can_activate=may_manage, redirect_to="/dashboard")


def routes_spec(board: Board) -> RoutesSpec:
    """Return the routes, working on *board*."""

    def dashboard() -> Page:
        return page("dashboard.html", **_values(board))

    def widgets() -> Page:
        return page("widgets.html", **_values(board))

    routes = (
        Route(path="/", view=dashboard, layout="layout.html", meta=DASHBOARD),
        Route(path="/widgets", view=widgets, layout="layout.html", meta=WIDGETS, guards=(MANAGERS,)),
    )
    return RoutesSpec(base_path="/dashboard", routes=routes, navigation=NAVIGATION)


def _values(board: Board) -> dict[str, Any]:
    user = board.context.users.current()
    values = {
        "widgets": board.widgets(user),
        "layout": board.layout(user),
        "preferences": board.stores.preferences.get(),
    }
    return {"board": values, "may_arrange": user is not None and "dashboard:manage" in user.permissions}
