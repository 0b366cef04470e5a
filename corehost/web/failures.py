"""Answer a request that fails: a problem document for programs, a page in the shell for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from flask import Request, Response, redirect, request
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.urls import iri_to_uri

from corehost.contract.errors import (
    CorehostError,
    MalformedError,
    NotFoundError,
    OverloadedError,
    PluginFaultError,
    TooLargeError,
    TooManyAttemptsError,
    UnauthenticatedError,
)
from corehost.contract.permissions import manage_of
from corehost.web.caller import caller_of
from corehost.web.paths import is_below
from corehost.web.problems import problem_document, problem_of
from corehost.web.shell import Shell

_SAME: dict[int, type[CorehostError]] = {400: MalformedError, 404: NotFoundError, 413: TooLargeError}
"""Flask's errors that mean the same as ours, so that a program sees one ``type`` for one thing."""
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Failures:
    """Makes the responses of requests that fail, for all apps alike."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def answer(self, error: BaseException, *, plugin_id: str | None = None) -> Response:
        """Return the response to *error*; *plugin_id* is the plugin whose page was asked for."""
        document = _document(_as_fault(error, plugin_id))
        if wants_problem(request):
            response = problem_response(document)
        elif isinstance(error, UnauthenticatedError):
            return _to_sign_in()
        else:
            response = Response(self._page(document, error, plugin_id), document["status"], mimetype="text/html")
        for name, value in _headers_of(error).items():
            response.headers[name] = value
        return response

    def _page(self, document: Mapping[str, Any], error: BaseException, plugin_id: str | None) -> str:
        is_fault = plugin_id is not None and failed_plugin(error)
        content = self._shell.render(
            "host/failure.html",
            status=document["status"],
            title=document["title"],
            detail=document["detail"],
            errors=document.get("errors", ()),
            plugin_id=plugin_id if document["status"] >= 500 else None,
            cause=f"{type(error).__name__}: {error}" if is_fault and _manages(plugin_id) else None,
        )
        return self._shell.lay_out(content, title=document["title"], plugin_id=plugin_id)


def problem_response(document: Mapping[str, Any]) -> Response:
    """Return *document* as an RFC 9457 response."""
    body = msgspec.json.encode(document)
    response = Response(body, document["status"], mimetype="application/problem+json")
    if document["status"] == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="corehost"'
    return response


def wants_problem(sent: Request) -> bool:
    """Tell whether the sender is a program: it asks the API, or for JSON rather than for a page."""
    if is_below(sent.path, "/api"):
        return True
    best = sent.accept_mimetypes.best_match(("text/html", "application/json", "application/problem+json"))
    return best is not None and best != "text/html"


def _as_fault(error: BaseException, plugin_id: str | None) -> BaseException:
    """Return what a plugin's page raised as the plugin's fault: its text is not for every visitor."""
    if plugin_id is None or not failed_plugin(error):
        return error
    return PluginFaultError(f"Plugin {plugin_id!r} could not make this page. The host's log says why.")


def _document(error: BaseException) -> dict[str, Any]:
    if not isinstance(error, HTTPException):
        return problem_document(error)
    detail = error.description or error.name
    if isinstance(error, NotFound) and detail == NotFound.description:
        detail = f"There is nothing at {request.path!r}."
    same = _SAME.get(error.code or 500)
    if same is not None:
        return problem_document(same(detail))
    slug = error.name.lower().replace(" ", "-")
    return {"type": f"urn:corehost:problem:{slug}", "title": error.name, "status": error.code or 500, "detail": detail}


def _headers_of(error: BaseException) -> dict[str, str]:
    if isinstance(error, TooManyAttemptsError):
        return {"Retry-After": str(error.retry_after)}
    if isinstance(error, OverloadedError):
        return {"Retry-After": "1"}
    if isinstance(error, HTTPException):
        own = dict(error.get_headers())
        return {name: value for name, value in own.items() if name not in ("Content-Type", "Content-Length")}
    return {}


def _to_sign_in() -> Response:
    wanted = "/" if request.method in _CHANGING else request.full_path.rstrip("?")
    target = iri_to_uri(wanted).replace("&", "%26").replace("#", "%23").replace("+", "%2B")
    response = redirect("/signin" if wanted == "/" else f"/signin?next={target}", 303)
    assert isinstance(response, Response)
    return response


def _manages(plugin_id: str | None) -> bool:
    caller = caller_of(request.environ)
    return caller is not None and plugin_id is not None and manage_of(plugin_id) in caller.user.permissions


def failed_plugin(error: BaseException) -> bool:
    """Tell whether *error*, raised by a plugin's page, is the plugin's own fault and not an answer to the visitor."""
    if isinstance(error, CorehostError):
        return problem_of(error).slug == "internal"
    return not isinstance(error, HTTPException)
