"""Serve the API's resources of plugins: list, describe, switch, call, read and write their stores."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Literal, NoReturn

from flask import Blueprint, Response, request
from werkzeug.exceptions import MethodNotAllowed

from corehost.contract.errors import Fault, InvalidError
from corehost.contract.permissions import PLUGINS_INSTALL, manage_of, use_of
from corehost.contract.records import to_json
from corehost.contract.user import UserContext
from corehost.plugins.assembly import Plugins
from corehost.plugins.registry import Plugin
from corehost.web.auditing import Auditing
from corehost.web.bulkhead import Bulkhead
from corehost.web.caller import require_caller
from corehost.web.describing import plugin_entry, plugin_in_full
from corehost.web.installs_api import remove_plugin
from corehost.web.reading import answer, only, read_flag, read_json, read_object
from corehost.web.site import Site

_PATIENCE = 10.0
"""Seconds that a change of status may take before the answer is 202."""
_CHANGES = "core"
"""Whose places in the bulkhead the requests take that wait for a change."""


class PluginsApi:
    """``/api/plugins``, but for its messages."""

    def __init__(self, plugins: Plugins, site: Site, bulkhead: Bulkhead, *, patience: float = _PATIENCE) -> None:
        self._plugins = plugins
        self._site = site
        self._bulkhead = bulkhead
        self._patience = patience
        self._auditing = Auditing(plugins.database.audit)

    def blueprint(self) -> Blueprint:
        """Return the resources."""
        api = Blueprint("plugins_api", __name__, url_prefix="/api/plugins")
        for rule, view, method in (
            ("/manifest", self._list, "GET"),
            ("/<plugin_id>", self._show, "GET"),
            ("/<plugin_id>", self._remove, "DELETE"),
            ("/<plugin_id>", self._call_named, "POST"),
            ("/<plugin_id>/status", self._switch, "PUT"),
            ("/<plugin_id>/<method>", self._call, "POST"),
            ("/<plugin_id>/stores/<name>", self._read_store, "GET"),
            ("/<plugin_id>/stores/<name>", self._write_store, "PUT"),
        ):
            api.add_url_rule(rule, view.__name__.strip("_"), view, methods=[method])
        # No plugin has this id, so nothing but reading the list is meant.
        api.add_url_rule("/manifest", "list_only", _refuse_method, methods=["POST", "PUT", "PATCH", "DELETE"])
        return api

    def _list(self) -> Response:
        user, may = _user(), self._plugins.permissions.may
        seen = [plugin for plugin in self._plugins.registry.all() if may(user, use_of(plugin.id))]
        return answer({"items": [self._entry(plugin) for plugin in seen]})

    def _entry(self, plugin: Plugin) -> dict[str, Any]:
        entry = plugin_entry(plugin)
        if plugin.origin.managed:
            entry["installed"] = self._plugins.installer.describe(plugin.id)
        return {**entry, **self._awaits(plugin.id)}

    def _awaits(self, plugin_id: str) -> dict[str, list[str]]:
        awaited = self._plugins.grants.awaited(plugin_id)
        return {"awaits": list(awaited)} if awaited else {}

    def _show(self, plugin_id: str) -> Response:
        plugin = self._known(plugin_id, use_of(plugin_id), f"look at the plugin {plugin_id!r}")
        document = plugin_in_full(plugin, self._site.routes_of(plugin_id))
        document["installed"] = self._plugins.installer.describe(plugin_id)
        return answer({**document, **self._awaits(plugin_id), "account": self._plugins.oversight.account(plugin_id)})

    def _remove(self, plugin_id: str) -> Response:
        self._known(plugin_id, manage_of(plugin_id), f"remove the plugin {plugin_id!r}")
        cascade = read_flag(request, "cascade")
        if read_flag(request, "dryRun"):
            if read_flag(request, "remove"):
                self._plugins.installer.require_ours(plugin_id)
            plan = self._plugins.lifecycle.plan(plugin_id, "disabled", cascade=cascade)
            return answer({"id": plugin_id, "plan": to_json(plan)})
        if read_flag(request, "remove"):
            self._known(plugin_id, PLUGINS_INSTALL, f"remove the plugin {plugin_id!r}")
            with self._auditing.of("plugin:remove", plugin_id), self._bulkhead.entered(_CHANGES):
                return remove_plugin(self._plugins, plugin_id, cascade=cascade, purge=read_flag(request, "purge"))
        with self._auditing.of("plugin:unregister", plugin_id), self._bulkhead.entered(_CHANGES):
            self._plugins.lifecycle.unregister(plugin_id, cascade=cascade)
        return Response(status=204)

    def _switch(self, plugin_id: str) -> Response:
        self._known(plugin_id, manage_of(plugin_id), f"switch the plugin {plugin_id!r}")
        status, cascade = _wanted_status(), read_flag(request, "cascade")
        is_reload = read_flag(request, "reload")
        if is_reload and status == "disabled":
            raise InvalidError("Only an enabled plugin can be reloaded. Ask for the status 'enabled'.")
        lifecycle = self._plugins.lifecycle
        if read_flag(request, "dryRun"):
            plan = lifecycle.plan_reload(plugin_id) if is_reload else lifecycle.plan(plugin_id, status, cascade=cascade)
            return answer({"id": plugin_id, "status": status, "plan": to_json(plan)})
        action = "plugin:reload" if is_reload else f"plugin:{status.removesuffix('d')}"
        with self._auditing.of(action, plugin_id), self._bulkhead.entered(_CHANGES):
            return self._outcome(plugin_id, self._change(plugin_id, status, cascade, is_reload))

    def _change(self, plugin_id: str, status: str, cascade: bool, is_reload: bool) -> Future[Any]:
        lifecycle = self._plugins.lifecycle
        if is_reload:
            return lifecycle.submit_reload(plugin_id)
        if status == "enabled":
            return lifecycle.submit_enable(plugin_id, cascade=cascade)
        return lifecycle.submit_disable(plugin_id, cascade=cascade)

    def _outcome(self, plugin_id: str, change: Future[Any]) -> Response:
        try:
            change.result(self._patience)
        except TimeoutError:
            if not change.done():
                body = {"id": plugin_id, "status": self._plugins.registry.get(plugin_id).status}
                return answer(body, 202, Location=f"/api/plugins/{plugin_id}")
            change.result()  # the change itself was late, or ended just now
        return answer({"id": plugin_id, "status": self._plugins.registry.get(plugin_id).status})

    def _call(self, plugin_id: str, method: str) -> Response:
        return self._called(plugin_id, method, read_json(request, empty={}))

    def _call_named(self, plugin_id: str) -> Response:
        body = read_object(request)
        only(body, "method", "input")
        method = body.get("method")
        if not isinstance(method, str):
            raise InvalidError("The body is not valid.", [Fault(path="/method", message="Must be a method's name.")])
        return self._called(plugin_id, method, body.get("input", {}))

    def _called(self, plugin_id: str, method: str, value: Any) -> Response:
        user = _user()
        self._plugins.registry.get(plugin_id)  # a place is kept for what exists only
        with self._bulkhead.entered(plugin_id):
            result = self._plugins.gateway.call(plugin_id, method, value, user=user)
        return answer({"result": result})

    def _read_store(self, plugin_id: str, name: str) -> Response:
        user = _user()
        self._plugins.registry.get(plugin_id)
        with self._bulkhead.entered(plugin_id):
            value, version = self._plugins.gateway.read_store(plugin_id, name, user=user)
        return answer({"value": value, "version": version})

    def _write_store(self, plugin_id: str, name: str) -> Response:
        user, body = _user(), read_object(request)
        only(body, "value", "version")
        if "value" not in body:
            raise InvalidError("The body is not valid.", [Fault(path="/value", message="Is missing.")])
        self._plugins.registry.get(plugin_id)
        gateway = self._plugins.gateway
        with self._bulkhead.entered(plugin_id):
            value, version = gateway.write_store(plugin_id, name, body["value"], version=_version(body), user=user)
        return answer({"value": value, "version": version})

    def _known(self, plugin_id: str, permission: str, what: str) -> Plugin:
        self._plugins.permissions.require_user(_user(), permission, what)
        return self._plugins.registry.get(plugin_id)


def _version(body: dict[str, Any]) -> int | None:
    """Return the version at which the value was read, if the body names it; a later change is then kept."""
    wanted = body.get("version")
    if "version" in body and (not isinstance(wanted, int) or isinstance(wanted, bool)):
        raise InvalidError("The body is not valid.", [Fault(path="/version", message="Must be a whole number.")])
    return wanted


def _refuse_method() -> NoReturn:
    raise MethodNotAllowed(valid_methods=["GET", "HEAD", "OPTIONS"])


def _user() -> UserContext:
    return require_caller(request.environ).user


def _wanted_status() -> Literal["enabled", "disabled"]:
    body = read_object(request)
    only(body, "status")
    match body.get("status"):
        case "enabled":
            return "enabled"
        case "disabled":
            return "disabled"
    raise InvalidError("The body is not valid.", [Fault(path="/status", message="Must be 'enabled' or 'disabled'.")])
