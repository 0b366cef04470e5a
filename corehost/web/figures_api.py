"""Serve who is slow: the figures of each plugin, as JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, request

from corehost.contract.permissions import METRICS_READ
from corehost.plugins.assembly import Plugins
from corehost.plugins.registry import Plugin
from corehost.web.caller import require_caller
from corehost.web.reading import answer

Depths = Callable[[], Mapping[str, int]]
"""Returns how much there is for each plugin that has some."""


class FiguresApi:
    """``/api/plugins/metrics`` for all plugins (none has that id) and ``/api/plugins/<id>/metrics`` for one.

    *waiting* tells how much waits in each lane, *inside* how many requests are inside of each plugin.
    """

    def __init__(self, plugins: Plugins, *, waiting: Depths, inside: Depths) -> None:
        self._plugins = plugins
        self._waiting = waiting
        self._inside = inside

    def blueprint(self) -> Blueprint:
        """Return the resources."""
        api = Blueprint("figures_api", __name__, url_prefix="/api/plugins")
        api.add_url_rule("/metrics", "all", self._all)
        api.add_url_rule("/<plugin_id>/metrics", "one", self._one)
        return api

    def _all(self) -> Response:
        self._require()
        plugins = self._plugins.registry.all()
        return answer({"at": time.time(), "items": self._items(plugins)})

    def _one(self, plugin_id: str) -> Response:
        self._require()
        return answer(self._items([self._plugins.registry.get(plugin_id)])[0])

    def _items(self, plugins: Any) -> list[dict[str, Any]]:
        waiting, inside, calls = self._waiting(), self._inside(), self._plugins.oversight.calls_running()
        return [
            self._item(
                plugin,
                waiting=waiting.get(plugin.id, 0),
                inside=inside.get(plugin.id, 0),
                calls=calls.get(plugin.id, 0),
            )
            for plugin in plugins
        ]

    def _item(self, plugin: Plugin, **depths: int) -> dict[str, Any]:
        account = self._plugins.oversight.account(plugin.id)
        shown = ("figures", "errors", "blockages", "blocked", "stuck", "left", "budgets", "throttled", "quarantined")
        return {
            "id": plugin.id,
            "version": plugin.version,
            "status": plugin.status,
            **depths,
            **{name: account[name] for name in shown},
        }

    def _require(self) -> None:
        user = require_caller(request.environ).user
        self._plugins.permissions.require_user(user, METRICS_READ, "read the metrics")
