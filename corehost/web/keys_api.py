"""Serve the keys whose signatures the host trusts, to those who may decide on that."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from corehost.contract.errors import Fault, InvalidError
from corehost.contract.permissions import KEYS_WRITE
from corehost.plugins.assembly import Plugins
from corehost.plugins.signing.keyring import describe_key
from corehost.web.auditing import actor_of_request
from corehost.web.caller import require_caller
from corehost.web.reading import answer, only, read_object


class KeysApi:
    """``/api/keys``: list, trust and forget public keys; each change is in the audit log."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins

    def blueprint(self) -> Blueprint:
        """Return the resources."""
        api = Blueprint("keys_api", __name__, url_prefix="/api/keys")
        api.add_url_rule("", "list", self._list, methods=["GET"])
        api.add_url_rule("", "trust", self._trust, methods=["POST"])
        api.add_url_rule("/<path:key>", "forget", self._forget, methods=["DELETE"])
        return api

    def _list(self) -> Response:
        self._require("see which keys are trusted")
        return answer({"items": [describe_key(key) for key in self._plugins.elsewhere.keyring.all()]})

    def _trust(self) -> Response:
        self._require("trust a key")
        body = read_object(request)
        only(body, "key", "name")
        faults = [_fault(name) for name in ("key", "name") if not isinstance(body.get(name), str)]
        if faults:
            raise InvalidError("The body is not valid.", faults)
        trusted = self._plugins.elsewhere.trust(
            body["key"], body["name"], by=actor_of_request(), lifecycle=self._plugins.lifecycle
        )
        described: dict[str, Any] = describe_key(trusted)
        return answer(described, 201, Location=f"/api/keys/{described['id']}")

    def _forget(self, key: str) -> Response:
        self._require("forget a key")
        self._plugins.elsewhere.forget(key, by=actor_of_request(), lifecycle=self._plugins.lifecycle)
        return Response(status=204)

    def _require(self, what: str) -> None:
        self._plugins.permissions.require_user(require_caller(request.environ).user, KEYS_WRITE, what)


def _fault(name: str) -> Fault:
    return Fault(path=f"/{name}", message="Must be a text.")
