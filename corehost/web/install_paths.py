"""The resources by which plugins are installed, as OpenAPI describes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from corehost.web.fixed_paths import PLANNED, PROBLEMS, json_content

_TEXT: Final = {"type": "string"}
_NAME: Final = {"type": ["string", "null"]}
_FLAG: Final = {"type": "string", "enum": ["0", "1"]}
_JOB: Final = {
    "type": "object",
    "properties": {
        "id": _TEXT,
        "action": {"type": "string", "enum": ["install", "upgrade", "rollback", "remove"]},
        "plugin": _NAME,
        "source": _TEXT,
        "state": {"type": "string", "enum": ["running", "done", "failed"]},
        "step": {"type": "string", "enum": ["fetching", "trying", "switching", "watching", "removing", "ended"]},
        "version": _NAME,
        "replaced": _NAME,
        "started": {"type": "number"},
        "error": _NAME,
        "problem": {"type": ["object", "null"]},
    },
}
_ID: Final = {"name": "id", "in": "path", "required": True, "schema": _TEXT}


def _query(name: str, schema: Any, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


_FORCE: Final = _query("force", _FLAG, "Although it is not newer, or breaks what others use.")
_DRY_RUN: Final = _query("dryRun", _FLAG, "Only try it, and return what the upgrade would do.")
_ARCHIVE_NAME: Final = _query("name", _TEXT, "The name of an archive that is the body.")


def _operation(name: str, summary: str, responses: Mapping[str, Any], **further: Any) -> dict[str, Any]:
    return {
        "tags": ["host"],
        "operationId": name,
        "summary": summary,
        **further,
        "responses": {**responses, **PROBLEMS},
    }


def _found(description: str, schema: Any) -> dict[str, Any]:
    return {"200": {"description": description, "content": json_content(schema)}}


def _body(*, required: bool) -> dict[str, Any]:
    source = {"type": "object", "properties": {"source": _TEXT, "force": {"type": "boolean"}}}
    return {
        "required": required,
        "content": {**json_content(source), "application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }


_ACCEPTED: Final = {"202": {"description": "The job; Location leads to it.", "content": json_content(_JOB)}}
_LISTED: Final = {"type": "object", "properties": {"items": {"type": "array", "items": _JOB}}}

INSTALL_PATHS: Final[Mapping[str, Any]] = {
    "/api/plugins": {
        "post": _operation(
            "installPlugin",
            "Install a plugin",
            _ACCEPTED,
            parameters=[_FORCE, _ARCHIVE_NAME],
            requestBody=_body(required=True),
        ),
    },
    "/api/plugins/{id}/version": {
        "parameters": [_ID],
        "put": _operation(
            "upgradePlugin",
            "Upgrade a plugin",
            {**_ACCEPTED, **_found("The plan.", PLANNED)},
            parameters=[_FORCE, _DRY_RUN, _ARCHIVE_NAME],
            requestBody=_body(required=False),
        ),
        "delete": _operation(
            "rollBackPlugin",
            "Bring the version before back",
            _ACCEPTED,
            parameters=[_FORCE, _query("storage", _FLAG, "With its storage as it was.")],
        ),
    },
    "/api/jobs": {
        "get": _operation(
            "listJobs",
            "List the jobs of this run",
            {"200": {"description": "Oldest first.", "content": json_content(_LISTED)}},
        ),
    },
    "/api/jobs/{id}": {
        "parameters": [_ID],
        "get": _operation("showJob", "See how far a job is", _found("The job.", _JOB)),
    },
}
"""The paths of installation."""
