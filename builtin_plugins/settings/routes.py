"""The pages of settings, and their place in the menu."""

from __future__ import annotations

from typing import Any

from flask import redirect, request
from werkzeug.wrappers import Response

from builtin_plugins.settings.desk import Desk
from builtin_plugins.settings.fields import fields_of, is_set, shown
from builtin_plugins.settings.submission import errors_by_field, read
from corehost import (
    ConflictError,
    Fault,
    InvalidError,
    NavigationItem,
    Page,
    Route,
    RouteMeta,
    RoutesSpec,
    page,
)

NAVIGATION = (
    NavigationItem(
        id="settings",
        label="Settings",
        path="/settings",
        icon="gear",
        order=90,
        children=(
            NavigationItem(id="settings-plugins", label="Plugins", path="/settings/plugins", order=1),
            NavigationItem(id="settings-appearance", label="Appearance", path="/settings/appearance", order=2),
            NavigationItem(id="settings-people", label="People", path="/settings/people", order=3),
            NavigationItem(id="settings-audit", label="Audit log", path="/settings/audit", order=4),
        ),
    ),
)


def routes_spec(desk: Desk) -> RoutesSpec:
    """Return the routes, working on *desk*."""

    def plugins() -> Page:
        return page("plugins.html", overview=desk.overview.get())

    def appearance() -> Page:
        theme = desk.context.core.plugins.call("core-ui", "getTheme", {})["theme"]
        return page("appearance.html", theme=theme)

    def people() -> Page:
        return page("people.html")

    def audit() -> Page:
        return page("audit.html")

    def plugin(plugin_id: str) -> Page | Response | tuple[Page, int]:
        return _submit(desk, plugin_id) if request.method == "POST" else _form(desk, plugin_id)

    return RoutesSpec(
        base_path="/settings",
        routes=(
            Route(path="/", view=to_plugins, meta=RouteMeta(title="Settings", icon="gear", order=90)),
            Route(path="/plugins", view=plugins, meta=RouteMeta(title="Plugins")),
            Route(
                path="/plugins/:plugin_id",
                view=plugin,
                methods=("GET", "POST"),
                meta=RouteMeta(title="Plugin settings", hidden=True),
            ),
            Route(path="/people", view=people, meta=RouteMeta(title="People", permissions=("users:manage",))),
            Route(path="/audit", view=audit, meta=RouteMeta(title="Audit log", permissions=("audit:read",))),
            Route(path="/appearance", view=appearance, meta=RouteMeta(title="Appearance")),
        ),
        navigation=NAVIGATION,
    )


def to_plugins() -> Response:
    """Go to the first page of settings."""
    return redirect("/settings/plugins")


def _submit(desk: Desk, plugin_id: str) -> Response | tuple[Page, int]:
    fields = fields_of(desk.plugin(plugin_id).manifest.config_schema)
    values, faults = read(fields, request.form.to_dict(flat=False))
    if not faults:
        try:
            desk.save(plugin_id, values)
        except InvalidError as error:
            faults = list(error.faults) or [Fault(path="", message=error.text)]
        except ConflictError as error:
            faults = [Fault(path="", message=error.text)]
        else:
            return redirect(f"/settings/plugins/{plugin_id}?saved=1", code=303)
    return _form(desk, plugin_id, faults), 422


def _form(desk: Desk, plugin_id: str, faults: list[Fault] | None = None) -> Page:
    plugin = desk.plugin(plugin_id)
    fields = fields_of(plugin.manifest.config_schema)
    config = desk.config(plugin_id)
    errors, rest = errors_by_field(fields, faults or ())

    def value(one: Any) -> Any:
        """What was typed is shown again when it was refused."""
        if faults is None or one.kind == "password":
            return shown(one, config)
        if one.kind == "switch":
            return request.form.get(one.name) == "true"
        return request.form.getlist(one.name) if one.kind == "checks" else request.form.get(one.name, "")

    return page(
        "plugin.html",
        chosen=plugin,
        fields=fields,
        value=value,
        is_set=lambda one: is_set(one, config),
        errors=errors,
        rest=rest,
        is_refused=faults is not None,
        is_saved=request.args.get("saved") == "1",
    )
