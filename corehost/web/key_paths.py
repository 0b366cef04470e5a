"""The resources of trusted keys, as OpenAPI describes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from corehost.web.fixed_paths import PROBLEMS, json_content

_TEXT: Final = {"type": "string"}
_KEY: Final = {
    "type": "object",
    "properties": {
        "id": _TEXT,
        "key": {**_TEXT, "description": "The public key, 'ed25519:<base64>'."},
        "name": {**_TEXT, "description": "What the operator calls its owner."},
        "by": _TEXT,
        "at": {"type": "number", "description": "Seconds since 1970."},
    },
}
_LISTED: Final = {"type": "object", "properties": {"items": {"type": "array", "items": _KEY}}}
_GIVEN: Final = {"type": "object", "required": ["key", "name"], "properties": {"key": _TEXT, "name": _TEXT}}


def _operation(name: str, summary: str, status: str, content: Any = None, **further: Any) -> dict[str, Any]:
    answered = {"description": summary, **({} if content is None else {"content": json_content(content)})}
    return {
        "tags": ["host"],
        "operationId": name,
        "summary": summary,
        **further,
        "responses": {status: answered, **PROBLEMS},
    }


KEY_PATHS: Final[Mapping[str, Any]] = {
    "/api/keys": {
        "get": _operation("listKeys", "List the keys whose signatures are trusted", "200", _LISTED),
        "post": _operation(
            "trustKey",
            "Trust the signatures of a key",
            "201",
            _KEY,
            requestBody={"required": True, "content": json_content(_GIVEN)},
        ),
    },
    "/api/keys/{key}": {
        "parameters": [{"name": "key", "in": "path", "required": True, "schema": _TEXT}],
        "delete": _operation("forgetKey", "Trust a key no longer; what only it stands for is taken down", "204"),
    },
}
"""The paths of keys."""
