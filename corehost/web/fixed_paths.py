"""The host's own resources as OpenAPI describes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final


def json_content(schema: Any, examples: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a JSON body of *schema*."""
    media: dict[str, Any] = {"schema": schema}
    return {"application/json": {**media, "examples": dict(examples)} if examples else media}


def _answer(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, "content": json_content(schema)}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _query(name: str, schema: Any, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "integer"}
_FLAG: Final = {"type": "string", "enum": ["0", "1"]}
_PLUGIN: Final = {"$ref": "#/components/schemas/Plugin"}
_MESSAGE: Final = {"$ref": "#/components/schemas/Message"}
_STATUS: Final = {"type": "string", "enum": ["loading", "loaded", "enabled", "disabled", "error", "unloading"]}

PROBLEMS: Final = {
    "default": {
        "description": "What went wrong (RFC 9457).",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}
"""The response to whatever fails."""

COMPONENTS: Final = {
    "securitySchemes": {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "corehost"},
    },
    "schemas": {
        "Plugin": {
            **_object(
                id=_TEXT,
                source=_object(type=_TEXT, path=_TEXT, url=_TEXT),
                enabled={"type": "boolean"},
                status=_STATUS,
                manifest={"type": ["object", "null"]},
                permissions={"type": "array", "items": _TEXT},
                error=_TEXT,
            ),
            "required": ["id", "source", "enabled", "status", "manifest", "permissions"],
        },
        "Message": {
            **_object(
                id=_TEXT,
                type=_TEXT,
                source=_TEXT,
                target=_TEXT,
                payload={},
                timestamp=_NUMBER,
                seq=_NUMBER,
                correlationId=_TEXT,
                meta={"type": "object"},
                cause=_TEXT,
            ),
            "required": ["id", "type", "source", "payload", "timestamp", "seq"],
        },
        "Problem": {
            **_object(
                type=_TEXT,
                title=_TEXT,
                status=_NUMBER,
                detail=_TEXT,
                errors={"type": "array", "items": _object(path=_TEXT, message=_TEXT)},
                dependants={"type": "array", "items": _TEXT},
            ),
            "required": ["type", "title", "status"],
        },
    },
}

_TEXTS: Final = {"type": "array", "items": _TEXT}
PLANNED: Final = _object(
    id=_TEXT,
    status=_TEXT,
    plan=_object(
        load=_TEXTS,
        unload=_TEXTS,
        permissions={"type": "object", "additionalProperties": _TEXTS},
        requests={
            "type": "array",
            "items": _object(plugin=_TEXT, permission=_TEXT, meaning=_TEXT, awaits={"type": "boolean"}),
        },
        obstacles=_TEXTS,
        upgrade=_object(before=_TEXT, after=_TEXT),
        packages=_TEXTS,
        breaks={"type": "array", "items": _object(text=_TEXT, consumers=_TEXTS)},
        warnings=_TEXTS,
    ),
)
"""What a dry run answers."""

_ID: Final = {"name": "id", "in": "path", "required": True, "schema": _TEXT}
_TAGS: Final = ["host"]
_CASCADE: Final = _query("cascade", _FLAG, "Also switch off the plugins that need this one.")

_SWITCH: Final = {
    "tags": _TAGS,
    "operationId": "switchPlugin",
    "summary": "Enable or disable a plugin",
    "parameters": [_CASCADE, _query("dryRun", _FLAG, "Only return the plan.")],
    "requestBody": {
        "required": True,
        "content": json_content(
            {**_object(status={"type": "string", "enum": ["enabled", "disabled"]}), "required": ["status"]}
        ),
    },
    "responses": {
        "200": _answer("The change is done, or the plan.", PLANNED),
        "202": _answer("The change goes on.", _object(id=_TEXT, status=_STATUS)),
        **PROBLEMS,
    },
}

_HISTORY: Final = {
    "tags": _TAGS,
    "operationId": "readMessages",
    "summary": "Read the history; with 'Accept: text/event-stream' or an Upgrade, follow the messages",
    "parameters": [
        _query("type", _TEXT, "A type or pattern; '*' stands for any run of characters."),
        _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, "How many at most."),
        _query("since", _TEXT, "A cursor; what came after it."),
    ],
    "responses": {
        "200": {
            "description": "Messages, oldest first.",
            "content": {
                **json_content(_object(items={"type": "array", "items": _MESSAGE}, cursor=_TEXT)),
                "text/event-stream": {"schema": _TEXT},
            },
        },
        **PROBLEMS,
    },
}

_SEND: Final = {
    "tags": _TAGS,
    "operationId": "sendMessage",
    "summary": "Publish a message",
    "requestBody": {
        "required": True,
        "content": json_content(
            {**_object(type=_TEXT, payload={}, target=_TEXT, meta={"type": "object"}), "required": ["type"]}
        ),
    },
    "responses": {"202": _answer("The message as published.", _object(message=_MESSAGE)), **PROBLEMS},
}

_FIGURES: Final = _object(
    id=_TEXT,
    version=_TEXT,
    status=_STATUS,
    waiting=_NUMBER,
    inside=_NUMBER,
    calls=_NUMBER,
    figures={"type": "object"},
    errors={"type": "object"},
    blocked={"type": ["number", "null"]},
    throttled={"type": ["string", "null"]},
    quarantined={"type": ["object", "null"]},
)

FIXED_PATHS: Final[Mapping[str, Any]] = {
    "/api/plugins/manifest": {
        "get": {
            "tags": _TAGS,
            "operationId": "listPlugins",
            "summary": "List all plugins",
            "responses": {
                "200": _answer("All plugins.", _object(items={"type": "array", "items": _PLUGIN})),
                **PROBLEMS,
            },
        }
    },
    "/api/plugins/metrics": {
        "get": {
            "tags": _TAGS,
            "operationId": "readAllFigures",
            "summary": "Read who is slow: times, queues and faults of all plugins",
            "responses": {
                "200": _answer("All plugins.", _object(items={"type": "array", "items": _FIGURES})),
                **PROBLEMS,
            },
        }
    },
    "/api/plugins/{id}/metrics": {
        "parameters": [_ID],
        "get": {
            "tags": _TAGS,
            "operationId": "readFigures",
            "summary": "Read times, queues and faults of a plugin",
            "responses": {"200": _answer("The figures.", _FIGURES), **PROBLEMS},
        },
    },
    "/api/plugins/{id}": {
        "parameters": [_ID],
        "get": {
            "tags": _TAGS,
            "operationId": "showPlugin",
            "summary": "Describe a plugin",
            "responses": {"200": _answer("The plugin in full.", _PLUGIN), **PROBLEMS},
        },
        "delete": {
            "tags": _TAGS,
            "operationId": "removePlugin",
            "summary": "Forget a plugin until the next scan",
            "parameters": [
                _CASCADE,
                _query("remove", _FLAG, "Also delete what the host installed."),
                _query("dryRun", _FLAG, "Only return the plan."),
                _query("purge", _FLAG, "With it all that was kept for the plugin: storage, settings, preferences."),
            ],
            "responses": {
                "200": _answer("The plan.", PLANNED),
                "202": {"description": "The removal goes on; Location names its job."},
                "204": {"description": "It is gone."},
                **PROBLEMS,
            },
        },
        "post": {
            "tags": _TAGS,
            "operationId": "callMethod",
            "summary": "Call a method by name",
            "requestBody": {
                "required": True,
                "content": json_content({**_object(method=_TEXT, input={}), "required": ["method"]}),
            },
            "responses": {"200": _answer("The result.", _object(result={})), **PROBLEMS},
        },
    },
    "/api/plugins/{id}/status": {"parameters": [_ID], "put": _SWITCH},
    "/api/plugins/messages": {"get": _HISTORY, "post": _SEND},
}
"""The paths that are there whatever plugins are enabled."""
