"""Run the view of a declared route: guards before it, layouts and shell around what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, make_response, redirect, request
from markupsafe import Markup

from corehost.contract.errors import PermissionDeniedError
from corehost.contract.permissions import USER_READ
from corehost.contract.routes import Guard, Page, RouteContext
from corehost.plugins.registry import Plugin
from corehost.web.routing import PlannedRoute
from corehost.web.shell import Shell, user_of_request


class RouteView:
    """The Flask view of one route."""

    def __init__(self, route: PlannedRoute, plugin: Plugin, shell: Shell) -> None:
        self._route = route
        self._plugin = plugin
        self._shell = shell
        self._view = plugin.adapt(route.view)
        self._guards = [(guard, plugin.adapt(guard.can_activate)) for guard in route.guards]

    def __call__(self, **params: Any) -> Any:
        """Return the response, or what Flask makes one of."""
        refused = self._refused(params)
        return self._laid_out(self._view(**params)) if refused is None else refused

    def _refused(self, params: Mapping[str, Any]) -> Any:
        if not self._guards:
            return None
        context = RouteContext(
            params={name: str(value) for name, value in params.items()},
            search_params={name: tuple(values) for name, values in request.args.lists()},
            user=user_of_request() if USER_READ in self._plugin.granted else None,
        )
        for guard, can_activate in self._guards:
            if not can_activate(context):
                return self._refusal(guard)
        return None

    def _refusal(self, guard: Guard) -> Any:
        # A guard that sends visitors to the page that it guards would send them round and round.
        if guard.redirect_to is None or guard.redirect_to.rstrip("/") == request.path.rstrip("/"):
            raise PermissionDeniedError(f"Plugin {self._plugin.id!r} does not let you see this page.")
        return redirect(guard.redirect_to, 303)

    def _laid_out(self, answer: Any) -> Any:
        body, *rest = answer if isinstance(answer, tuple) else (answer,)
        if not isinstance(body, str | Page):
            return answer
        page = Response(self._page(body), mimetype="text/html")
        return make_response((page, *rest)) if rest else page

    def _page(self, body: str | Page) -> str:
        content = Markup(_render(body.template, body.values) if isinstance(body, Page) else body)  # noqa: S704  # a view's str is HTML, as in Flask
        meta = self._route.meta
        for layout in self._route.layouts:
            content = Markup(_render(layout, {"content": content, "meta": meta, "title": meta.title}))  # noqa: S704  # rendered with escaping
        return self._shell.lay_out(content, title=meta.title or self._name(), plugin_id=self._plugin.id)

    def _name(self) -> str:
        return self._plugin.manifest.name if self._plugin.manifest else self._plugin.id


def _render(template: str, values: Mapping[str, Any]) -> str:
    context = dict(values)
    current_app.update_template_context(context)
    return current_app.jinja_env.get_template(template).render(context)
