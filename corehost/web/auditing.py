"""Enter into the audit log what people do through the edge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import request

from corehost.contract.errors import CorehostError, PermissionDeniedError
from corehost.state.audit import AuditLog
from corehost.web.caller import caller_of


def actor_of_request() -> str:
    """Return who sends the request at hand, as the log names them."""
    caller = caller_of(request.environ)
    return "anonymous" if caller is None else f"user:{caller.user.id}"


class Auditing:
    """The audit log, for what is done in the name of whoever sends the request at hand."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    @contextmanager
    def of(self, action: str, subject: str, **detail: Any) -> Iterator[None]:
        """Enter the block's work as done, failed, or refused if it raises ``PermissionDeniedError``."""
        actor = actor_of_request()
        try:
            yield
        except PermissionDeniedError as error:
            self._log.note(
                action, actor=actor, subject=subject, outcome="refused", detail={**detail, "why": error.text}
            )
            raise
        except CorehostError as error:
            why = {**detail, "why": error.text[:500]}
            self._log.record(action, actor=actor, subject=subject, outcome="failed", detail=why)
            raise
        self._log.record(action, actor=actor, subject=subject, detail=detail)
