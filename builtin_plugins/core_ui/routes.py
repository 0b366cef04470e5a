"""The fragment that browsers fetch when plugins come and go, and the gallery of components."""

from __future__ import annotations

from flask import Response, make_response, render_template, request

from builtin_plugins.core_ui.appearance import Appearance
from corehost import NavigationItem, Page, Route, RouteMeta, RoutesSpec, page


def routes_spec(appearance: Appearance) -> RoutesSpec:
    """Return the routes, working on *appearance*."""

    def navigation() -> Response:
        core, user = appearance.context.core, appearance.context.users.current()
        items = mark_active(core.routes.navigation(user), request.args.get("path", "/"))
        answer = make_response(render_template("navigation.html", navigation=items))
        answer.headers["Cache-Control"] = "no-store"  # what a user may see changes with every plugin and grant
        return answer

    return RoutesSpec(
        base_path="/core-ui",
        routes=(
            Route(path="/navigation", view=navigation, meta=RouteMeta(title="Navigation", hidden=True)),
            Route(path="/components", view=gallery, meta=RouteMeta(title="Components", hidden=True)),
        ),
    )


def gallery() -> Page:
    """Show every component once, for people who write plugins."""
    return page("gallery.html")


def mark_active(items: list[NavigationItem], path: str) -> list[dict[str, object]]:
    """Return *items* as the templates take them; the item that fits *path* most closely is active."""
    paths = [inner.path for item in items for inner in (item, *item.children)]
    fitting = [known for known in paths if path == known or path.startswith(known.rstrip("/") + "/")]
    active = max(fitting, key=len, default=None)
    return [_as_values(item, active) for item in items]


def _as_values(item: NavigationItem, active: str | None) -> dict[str, object]:
    return {
        "id": item.id,
        "label": item.label,
        "path": item.path,
        "icon": item.icon,
        "badge": item.badge,
        "active": item.path == active,
        "children": [_as_values(child, active) for child in item.children],
    }
