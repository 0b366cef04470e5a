"""The API's resources of people as OpenAPI describes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from corehost.web.fixed_paths import PROBLEMS, json_content

_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_TIME: Final = {"type": "number", "description": "Seconds since 1970."}


def _object(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def _does(name: str, summary: str, status: str, *, given: Any = None, answered: Any = None) -> dict[str, Any]:
    body = {} if given is None else {"requestBody": {"required": True, "content": json_content(given)}}
    content = {} if answered is None else {"content": json_content(answered)}
    responses = {status: {"description": summary, **content}, **PROBLEMS}
    return {"tags": ["host"], "operationId": name, "summary": summary, **body, "responses": responses}


def _list_of(item: Any) -> dict[str, Any]:
    return _object("items", items={"type": "array", "items": item})


def _in_path(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "in": "path", "required": True, "schema": _TEXT} for name in names]


_USER: Final = _object(
    "id",
    "roles",
    "disabled",
    "hasPassword",
    "created",
    id=_TEXT,
    roles=_TEXTS,
    disabled={"type": "boolean"},
    hasPassword={"type": "boolean"},
    created=_TIME,
    seen=_TIME,
)
_SESSION: Final = _object(
    "id", "user", id=_TEXT, user=_TEXT, created=_TIME, seen=_TIME, expires=_TIME, agent=_TEXT, address=_TEXT
)
_TOKEN: Final = _object(
    "id", "user", "name", id=_TEXT, user=_TEXT, name=_TEXT, permissions=_TEXTS, created=_TIME, expires=_TIME, used=_TIME
)
_ROLE: Final = _object(
    "name", "permissions", name=_TEXT, description=_TEXT, permissions=_TEXTS, fixed={"type": "boolean"}
)
_NEW_TOKEN: Final = _object(
    "name", name=_TEXT, permissions=_TEXTS, lifetime={"type": "number", "description": "Seconds."}
)

PEOPLE_PATHS: Final[Mapping[str, Any]] = {
    "/api/users": {
        "get": _does("listUsers", "List all users", "200", answered=_list_of(_USER)),
        "post": _does(
            "addUser",
            "Add a user",
            "201",
            given=_object("id", id=_TEXT, password=_TEXT, roles=_TEXTS),
            answered=_USER,
        ),
    },
    "/api/users/{id}": {
        "parameters": _in_path("id"),
        "get": _does("showUser", "Describe a user", "200", answered=_USER),
        "patch": _does(
            "changeUser",
            "Change a user's roles, keep them out or let them in",
            "200",
            given=_object(roles=_TEXTS, disabled={"type": "boolean"}),
            answered=_USER,
        ),
        "delete": _does("removeUser", "Delete a user with all that is kept of them", "204"),
    },
    "/api/users/{id}/password": {
        "parameters": _in_path("id"),
        "put": _does(
            "setPassword",
            "Set a password; the user's other sessions end",
            "204",
            given=_object("password", password=_TEXT, current=_TEXT),
        ),
    },
    "/api/users/{id}/link": {
        "parameters": _in_path("id"),
        "post": _does(
            "makeLink",
            "Make a link that signs a user in once",
            "201",
            answered=_object("user", "url", "seconds", user=_TEXT, url=_TEXT, seconds={"type": "integer"}),
        ),
    },
    "/api/users/{id}/sessions": {
        "parameters": _in_path("id"),
        "get": _does("listSessions", "List where a user is signed in", "200", answered=_list_of(_SESSION)),
    },
    "/api/users/{id}/sessions/{session}": {
        "parameters": _in_path("id", "session"),
        "delete": _does("endSession", "Sign a user out of one browser", "204"),
    },
    "/api/users/{id}/tokens": {
        "parameters": _in_path("id"),
        "get": _does("listTokensOfUser", "List a user's tokens", "200", answered=_list_of(_TOKEN)),
        "post": _does(
            "makeToken",
            "Make a token; its secret is answered this once",
            "201",
            given=_NEW_TOKEN,
            answered=_object("token", "secret", token=_TOKEN, secret=_TEXT),
        ),
    },
    "/api/tokens": {"get": _does("listTokens", "List all tokens", "200", answered=_list_of(_TOKEN))},
    "/api/tokens/{token}": {
        "parameters": _in_path("token"),
        "delete": _does("revokeToken", "Make a token worthless", "204"),
    },
    "/api/roles": {"get": _does("listRoles", "List all roles", "200", answered=_list_of(_ROLE))},
    "/api/roles/{name}": {
        "parameters": _in_path("name"),
        "put": _does(
            "setRole",
            "Make a role or replace what it may do",
            "200",
            given=_object("permissions", permissions=_TEXTS, description=_TEXT),
            answered=_ROLE,
        ),
        "delete": _does("removeRole", "Remove a role", "204"),
    },
}
"""By path, as in ``FIXED_PATHS``."""
