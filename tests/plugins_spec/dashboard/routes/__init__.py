from __future__ import annotations

from corehost import Guard, NavigationItem, Page, Route, RouteContext, RouteMeta, RoutesSpec, page


def dashboard_page() -> Page:
    return page("page.html")


def widget_settings() -> Page:
    return page("widgets.html")


def can_manage(context: RouteContext) -> bool:
    # Check if user has permission
    return "dashboard:manage" in context.user.permissions if context.user else False


routes = RoutesSpec(
    base_path="/dashboard",
    routes=(
        Route(
            path="/",
            view=dashboard_page,
            layout="layout.html",
            meta=RouteMeta(
                title="Dashboard",
                description="Main dashboard view",
                icon="dashboard",
                order=1,
            ),
        ),
        Route(
            path="/widgets",
            view=widget_settings,
            meta=RouteMeta(
                title="Widget Settings",
                description="Manage dashboard widgets",
                order=2,
                permissions=("storage:write",),
            ),
            guards=(
                Guard(
                    can_activate=can_manage,
                    redirect_to="/dashboard",
                ),
            ),
        ),
    ),
    navigation=(
        NavigationItem(
            id="dashboard-main",
            label="Dashboard",
            path="/dashboard",
            icon="dashboard-icon.svg",
            order=1,
            children=(
                NavigationItem(
                    id="dashboard-widgets",
                    label="Widgets",
                    path="/dashboard/widgets",
                    order=1,
                ),
            ),
        ),
    ),
)
