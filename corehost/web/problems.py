"""Map an error class to its HTTP problem, its JSON-RPC code and its title."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from corehost.contract import errors
from corehost.contract.errors import CorehostError, InvalidError


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One row of the table: what an error becomes at the edge.

    ``status`` is the HTTP status, ``code`` the JSON-RPC 2.0 error code, ``slug`` ends the problem's ``type``.
    """

    status: int
    code: int
    slug: str
    title: str


# The first row whose class fits wins, so a subclass stands before its base.
_TABLE: tuple[tuple[type[CorehostError], Problem], ...] = (
    (errors.MalformedError, Problem(status=400, code=-32602, slug="malformed", title="The input cannot be read")),
    (errors.ManifestError, Problem(status=422, code=-32602, slug="contract", title="The plugin breaks the contract")),
    (errors.InvalidError, Problem(status=422, code=-32602, slug="invalid", title="The input is not valid")),
    (errors.SettingsError, Problem(status=422, code=-32602, slug="settings", title="A setting is not valid")),
    (errors.UnauthenticatedError, Problem(status=401, code=-32001, slug="unauthenticated", title="Sign in first")),
    (errors.PermissionDeniedError, Problem(status=403, code=-32003, slug="forbidden", title="Not permitted")),
    (errors.NotAllowedError, Problem(status=403, code=-32003, slug="not-allowed", title="Not allowed here")),
    (errors.MethodNotFoundError, Problem(status=404, code=-32601, slug="no-method", title="No such method")),
    (errors.NotFoundError, Problem(status=404, code=-32004, slug="not-found", title="Not found")),
    (
        errors.DependencyError,
        Problem(status=409, code=-32009, slug="dependency", title="A dependency stands in the way"),
    ),
    (
        errors.ConflictError,
        Problem(status=409, code=-32009, slug="conflict", title="Not possible in the present state"),
    ),
    (errors.TooLargeError, Problem(status=413, code=-32602, slug="too-large", title="Too large")),
    (
        errors.TooManyAttemptsError,
        Problem(status=429, code=-32005, slug="too-many-attempts", title="Too many attempts"),
    ),
    (errors.OverloadedError, Problem(status=503, code=-32005, slug="busy", title="Busy, try again")),
    (errors.LateError, Problem(status=504, code=-32008, slug="late", title="No answer in time")),
    (errors.AbortedError, Problem(status=504, code=-32008, slug="aborted", title="Given up")),
    (errors.PluginFaultError, Problem(status=502, code=-32006, slug="plugin-fault", title="The plugin failed")),
    (errors.HopLimitError, Problem(status=502, code=-32006, slug="loop", title="Messages caused each other in a loop")),
)
_INTERNAL = Problem(status=500, code=-32603, slug="internal", title="The host failed")


def problem_of(error: BaseException) -> Problem:
    """Return the row for *error*; what is not ours is an internal failure (500, -32603)."""
    for kind, problem in _TABLE:
        if isinstance(error, kind):
            return problem
    return _INTERNAL


def problem_document(error: BaseException) -> dict[str, Any]:
    """Return *error* as an RFC 9457 problem document, with ``errors`` and ``dependants`` where they fit."""
    problem = problem_of(error)
    # An internal failure's text may carry secrets or paths; it goes to the log only.
    detail = error.text if isinstance(error, CorehostError) else "The host's log says more."
    document: dict[str, Any] = {
        "type": f"urn:corehost:problem:{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
    }
    document.update(_extras(error))
    return document


def rpc_error(error: BaseException) -> dict[str, Any]:
    """Return *error* as the ``error`` member of a JSON-RPC 2.0 response."""
    document = problem_document(error)
    answer: dict[str, Any] = {"code": problem_of(error).code, "message": document["detail"]}
    if extras := _extras(error):
        answer["data"] = extras
    return answer


def _extras(error: BaseException) -> dict[str, Any]:
    if isinstance(error, InvalidError) and error.faults:
        return {"errors": [{"path": fault.path, "message": fault.message} for fault in error.faults]}
    if isinstance(error, errors.DependantsError):
        return {"dependants": list(error.dependants)}
    if isinstance(error, errors.ConsentNeededError):
        return {"permissions": list(error.permissions)}
    return {}
