"""Serve documents and numbers: OpenAPI, AsyncAPI, the documentation page and the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec
from flask import Blueprint, Response, request

from corehost.contract.message import MessageSchema
from corehost.contract.permissions import METRICS_READ, use_of
from corehost.contract.user import UserContext
from corehost.plugins.assembly import Plugins
from corehost.plugins.registry import Plugin
from corehost.web.caller import require_caller
from corehost.web.describing import plugin_in_full
from corehost.web.documents import asyncapi, openapi
from corehost.web.metrics import Metrics
from corehost.web.reading import answer
from corehost.web.shell import Shell
from corehost.web.site import Site


class SchemaBook(Protocol):
    """Knows the declared message types."""

    def schemas(self) -> Mapping[str, tuple[str, MessageSchema]]: ...


class Reference:
    """``/api/openapi.json``, ``/api/asyncapi.json``, ``/docs`` and ``/metrics``; each shows what the user may use."""

    def __init__(
        self, *, plugins: Plugins, bus: SchemaBook, site: Site, shell: Shell, metrics: Metrics, base_url: str
    ) -> None:
        self._plugins = plugins
        self._bus = bus
        self._site = site
        self._shell = shell
        self._metrics = metrics
        self._base_url = base_url

    def blueprint(self) -> Blueprint:
        """Return the pages."""
        pages = Blueprint("reference", __name__)
        pages.add_url_rule("/api/openapi.json", "openapi", self._openapi)
        pages.add_url_rule("/api/asyncapi.json", "asyncapi", self._asyncapi)
        pages.add_url_rule("/docs", "docs", self._docs)
        pages.add_url_rule("/metrics", "metrics", self._show_metrics)
        return pages

    def _openapi(self) -> Response:
        return answer(openapi(self._seen(_user()), self._base_url))

    def _asyncapi(self) -> Response:
        user = _user()
        may_see = self._plugins.permissions.may_see_type
        seen = {kind: known for kind, known in self._bus.schemas().items() if may_see(user, kind)}
        return answer(asyncapi(seen, self._base_url))

    def _docs(self) -> str:
        seen = self._seen(_user())
        described = [plugin_in_full(plugin, self._site.routes_of(plugin.id)) for plugin in seen]
        content = self._shell.render("host/docs.html", plugins=described, pretty=_pretty)
        return self._shell.lay_out(content, title="Documentation", plugin_id=None)

    def _show_metrics(self) -> Response:
        self._plugins.permissions.require_user(_user(), METRICS_READ, "read the metrics")
        text, kind = self._metrics.render()
        return Response(text, content_type=kind)

    def _seen(self, user: UserContext) -> list[Plugin]:
        may = self._plugins.permissions.may
        return [plugin for plugin in self._plugins.registry.enabled() if may(user, use_of(plugin.id))]


def _user() -> UserContext:
    return require_caller(request.environ).user


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
