"""Serve the audit log to administrators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from flask import Blueprint, Response, request

from corehost.contract.errors import Fault, InvalidError
from corehost.contract.permissions import AUDIT_READ
from corehost.plugins.permissions import Permissions
from corehost.state.audit import AuditLog
from corehost.web.caller import require_caller
from corehost.web.reading import answer

_MOST: Final = 1_000
_TEXTS: Final = ("action", "actor", "subject", "outcome")
_NUMBERS: Final[tuple[tuple[str, Callable[[str], float]], ...]] = (("since", int), ("before", int), ("begin", float))


class AuditApi:
    """``/api/audit``: the log, newest first, by filters; nothing can be changed."""

    def __init__(self, log: AuditLog, permissions: Permissions) -> None:
        self._log = log
        self._permissions = permissions

    def blueprint(self) -> Blueprint:
        """Return the resource."""
        api = Blueprint("audit_api", __name__)
        api.add_url_rule("/api/audit", "list", self._list, methods=["GET"])
        return api

    def _list(self) -> Response:
        self._permissions.require_user(require_caller(request.environ).user, AUDIT_READ, "read the audit log")
        filters: dict[str, Any] = {name: request.args[name] for name in _TEXTS if request.args.get(name)}
        for name, kind in _NUMBERS:
            if raw := request.args.get(name):
                filters[name] = _number(name, raw, kind)
        limit = int(_number("limit", request.args.get("limit", "100"), int))
        if not 1 <= limit <= _MOST:
            raise _refusal("limit", f"Must be from 1 to {_MOST}.")
        return answer({"items": [asdict(entry) for entry in self._log.read(limit=limit, **filters)]})


def _number(name: str, raw: str, kind: Callable[[str], float]) -> float:
    try:
        number = kind(raw[:20])
    except ValueError:
        raise _refusal(name, "Must be a number.") from None
    if not 0 <= number < 2**53:
        raise _refusal(name, "Must be a number that is not negative.")
    return number


def _refusal(name: str, message: str) -> InvalidError:
    return InvalidError("The query is not valid.", [Fault(path=f"/{name}", message=message)])
