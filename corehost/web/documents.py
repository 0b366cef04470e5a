"""Describe the API as OpenAPI and the messages as AsyncAPI, derived from what plugins declare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from corehost import __version__
from corehost.contract.api import Method
from corehost.contract.message import MessageSchema
from corehost.contract.permissions import use_of
from corehost.contract.records import to_json
from corehost.contract.schema import json_schema_of
from corehost.plugins.registry import Plugin
from corehost.web.fixed_paths import COMPONENTS, FIXED_PATHS, PROBLEMS, json_content
from corehost.web.install_paths import INSTALL_PATHS
from corehost.web.key_paths import KEY_PATHS
from corehost.web.people_paths import PEOPLE_PATHS

_MESSAGES = "/api/plugins/messages"


def openapi(plugins: Iterable[Plugin], base_url: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the host's API with the methods and stores of *plugins*."""
    listed = list(plugins)
    paths: dict[str, Any] = {**FIXED_PATHS, **INSTALL_PATHS, **KEY_PATHS, **PEOPLE_PATHS}
    for plugin in listed:
        paths.update(_method_paths(plugin))
        paths.update(_store_paths(plugin))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "corehost",
            "version": __version__,
            "description": "The host's API and the methods of its enabled plugins.",
        },
        "servers": [{"url": base_url}],
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "security": [{"token": []}, {"session": []}],
        "tags": [{"name": "host", "description": "The host itself."}, *(_tag(plugin) for plugin in listed)],
        "paths": paths,
        "components": COMPONENTS,
    }


def asyncapi(schemas: Mapping[str, tuple[str, MessageSchema]], base_url: str) -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of the message types in *schemas*: by type, the owner and its schema."""
    scheme, _, host = base_url.partition("://")
    messages = {_key(kind): _message(kind, owner, schema) for kind, (owner, schema) in schemas.items()}
    references = {name: {"$ref": f"#/channels/messages/messages/{name}"} for name in messages}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "corehost", "version": __version__, "description": "The messages on the host's bus."},
        "defaultContentType": "application/json",
        "servers": {"host": {"host": host, "protocol": "wss" if scheme == "https" else "ws", "pathname": _MESSAGES}},
        "channels": {
            "messages": {
                "address": _MESSAGES,
                "description": "JSON-RPC 2.0, subprotocol corehost.v1; the same messages come as server-sent events.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
        },
        "operations": {
            action: {
                "action": action,
                "channel": {"$ref": "#/channels/messages"},
                "messages": list(references.values()),
            }
            for action in ("send", "receive")
        },
        "components": {"messages": messages},
    }


def _tag(plugin: Plugin) -> dict[str, Any]:
    docs = plugin.api.docs if plugin.api else None
    description = docs.description if docs else plugin.manifest.description if plugin.manifest else ""
    return {"name": plugin.id, "description": description}


def _method_paths(plugin: Plugin) -> Iterator[tuple[str, Any]]:
    for name, method in (plugin.api.methods if plugin.api else {}).items():
        yield f"/api/plugins/{plugin.id}/{name}", {"post": _operation(plugin, name, method)}


def _operation(plugin: Plugin, name: str, method: Method) -> dict[str, Any]:
    docs = plugin.api.docs.methods.get(name) if plugin.api and plugin.api.docs else None
    described = (docs.description if docs else None) or method.description or ""
    permissions = method.permissions or (use_of(plugin.id),)
    return {
        "tags": [plugin.id],
        "operationId": f"{plugin.id}.{name}",
        "summary": (docs.summary if docs else None) or method.description or name,
        "description": f"{described}\n\nNeeds {', '.join(permissions)}.".strip(),
        "requestBody": {
            "content": json_content(json_schema_of(method.input_schema) or {}, _examples(docs, "input")),
        },
        "responses": {
            "200": {
                "description": "The result.",
                "content": json_content(_wrapped(json_schema_of(method.output_schema) or {})),
            },
            **PROBLEMS,
        },
    }


def _wrapped(schema: Any) -> dict[str, Any]:
    return {"type": "object", "required": ["result"], "properties": {"result": schema}}


def _examples(docs: Any, part: str) -> dict[str, Any]:
    return {
        f"example{number}": {"summary": example.title, "value": to_json(getattr(example, part))}
        for number, example in enumerate(docs.examples if docs else (), start=1)
    }


def _store_paths(plugin: Plugin) -> Iterator[tuple[str, Any]]:
    spec = plugin.stores
    if spec is None:
        return
    for name in [*spec.readable, *spec.writable]:
        content = json_content(_versioned(json_schema_of(spec.schemas.get(name)) or {}))
        answer = {"200": {"description": "Value and version.", "content": content}, **PROBLEMS}
        tags = [plugin.id]
        path: dict[str, Any] = {"get": {"tags": tags, "summary": f"Read the store {name}", "responses": answer}}
        if name in spec.writable:
            path["put"] = {
                "tags": tags,
                "summary": f"Set the store {name}",
                "requestBody": {"required": True, "content": content},
                "responses": answer,
            }
        yield f"/api/plugins/{plugin.id}/stores/{name}", path


def _versioned(schema: Any) -> dict[str, Any]:
    properties = {"value": schema, "version": {"type": "integer", "minimum": 0}}
    return {"type": "object", "required": ["value"], "properties": properties}


def _message(kind: str, owner: str, schema: MessageSchema) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": kind,
        "title": kind,
        "summary": schema.description or f"Declared by {owner}.",
        "payload": json_schema_of(schema.payload) or {},
        "tags": [{"name": owner}],
    }
    if schema.response is not None:
        message["x-response"] = json_schema_of(schema.response)
    return message


def _key(kind: str) -> str:
    """Return a message type as AsyncAPI allows keys: letters, digits, '.', '-' and '_'."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "." for c in kind)
