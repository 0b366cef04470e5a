"""Serve what each plugin may do, and let administrators decide on it."""

from __future__ import annotations

from typing import Any, Final

from flask import Blueprint, Response, request

from corehost.contract.errors import Fault, InvalidError
from corehost.contract.permissions import GRANTS_WRITE, manage_of
from corehost.contract.records import to_json
from corehost.plugins.assembly import Plugins
from corehost.web.auditing import actor_of_request
from corehost.web.bulkhead import Bulkhead
from corehost.web.caller import require_caller
from corehost.web.reading import answer, only, read_object

_PATIENCE: Final = 10.0
_CHANGES: Final = "core"


class GrantsApi:
    """``/api/plugins/<id>/grants``: what a plugin asks for, in words, and what it is granted of that."""

    def __init__(self, plugins: Plugins, bulkhead: Bulkhead, *, patience: float = _PATIENCE) -> None:
        self._plugins = plugins
        self._bulkhead = bulkhead
        self._patience = patience

    def blueprint(self) -> Blueprint:
        """Return the resource."""
        api = Blueprint("grants_api", __name__)
        api.add_url_rule("/api/plugins/<plugin_id>/grants", "show", self._show, methods=["GET"])
        api.add_url_rule("/api/plugins/<plugin_id>/grants", "decide", self._decide, methods=["PUT"])
        return api

    def _show(self, plugin_id: str) -> Response:
        self._require(manage_of(plugin_id), f"see what the plugin {plugin_id!r} may do")
        return answer(self._document(plugin_id))

    def _decide(self, plugin_id: str) -> Response:
        self._require(GRANTS_WRITE, f"decide what the plugin {plugin_id!r} may do")
        decisions = _decisions(read_object(request))
        with self._bulkhead.entered(_CHANGES):
            change = self._plugins.grant(plugin_id, decisions, by=actor_of_request())
            try:
                change.result(self._patience)
            except TimeoutError:
                return answer(self._document(plugin_id), 202, Location=f"/api/plugins/{plugin_id}")
        return answer(self._document(plugin_id))

    def _document(self, plugin_id: str) -> dict[str, Any]:
        grants, plugin = self._plugins.grants, self._plugins.registry.find(plugin_id)
        items = grants.describe(plugin_id)
        return {
            "plugin": plugin_id,
            "name": plugin.manifest.name if plugin is not None and plugin.manifest is not None else plugin_id,
            "status": plugin.status if plugin is not None else None,
            "items": [to_json(grant) for grant in items],
            "awaits": list(grants.awaited(plugin_id)),
        }

    def _require(self, permission: str, what: str) -> None:
        self._plugins.permissions.require_user(require_caller(request.environ).user, permission, what)


def _decisions(body: dict[str, Any]) -> dict[str, bool]:
    only(body, "grants")
    decisions = body.get("grants")
    if not isinstance(decisions, dict) or not decisions:
        raise _refusal("/grants", "Must be an object of permissions, each true or false.")
    for name, value in decisions.items():
        if not isinstance(value, bool):
            raise _refusal(f"/grants/{name[:80]}", "Must be true or false.")
    return decisions


def _refusal(path: str, message: str) -> InvalidError:
    return InvalidError("The body is not valid.", [Fault(path=path, message=message)])
