"""The methods by which a person's tools read and write the settings of plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from builtin_plugins.settings.desk import Desk
from corehost import (
    SECRET_MASK,
    ApiDocumentation,
    ApiExample,
    ApiSpec,
    Method,
    MethodContext,
    MethodDocumentation,
    PermissionDeniedError,
)

_PLUGIN = {"type": "string", "minLength": 1}
_CONFIG = {"type": "object"}

DOCS = ApiDocumentation(
    title="Settings API",
    description="The settings of plugins, for people who hold plugin:<id>:manage. Plugins cannot call it.",
    methods={
        "getConfig": MethodDocumentation(
            summary="Read a plugin's settings",
            description=f"Defaults are filled in; a secret that is set reads {SECRET_MASK!r}.",
            examples=(
                ApiExample(
                    title="The dashboard's",
                    input={"plugin": "dashboard"},
                    output={"defaultLayout": "grid", "refreshInterval": 30},
                ),
            ),
        ),
        "setConfig": MethodDocumentation(
            summary="Change a plugin's settings",
            description="Settings that are not named stay as they are. Applied at once.",
            examples=(
                ApiExample(
                    title="Refresh less often",
                    input={"plugin": "dashboard", "values": {"refreshInterval": 60}},
                    output={"defaultLayout": "grid", "refreshInterval": 60},
                ),
            ),
        ),
    },
)


def api_spec(desk: Desk) -> ApiSpec:
    """Return the methods, working on *desk*."""

    def get_config(input: dict[str, Any], context: MethodContext) -> Mapping[str, Any]:
        _refuse_plugins(context)
        return dict(desk.config(input["plugin"]))

    def set_config(input: dict[str, Any], context: MethodContext) -> Mapping[str, Any]:
        _refuse_plugins(context)
        return dict(desk.save(input["plugin"], {**desk.config(input["plugin"]), **input["values"]}))

    methods = {
        "getConfig": Method(
            changes=False,
            handler=get_config,
            description="Read a plugin's settings.",
            input_schema=_object(plugin=_PLUGIN),
            output_schema=_CONFIG,
        ),
        "setConfig": Method(
            handler=set_config,
            description="Change a plugin's settings.",
            input_schema=_object(plugin=_PLUGIN, values=_CONFIG),
            output_schema=_CONFIG,
        ),
    }
    return ApiSpec(version="1.0.0", methods=methods, docs=DOCS)


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _refuse_plugins(context: MethodContext) -> None:
    """Keep other plugins out: they would use our grant ``host:configure`` in place of one of their own."""
    if context.caller_id is not None or context.user is None:
        text = f"Settings are for people. {context.caller_id or 'The caller'} can ask for 'host:configure' itself."
        raise PermissionDeniedError(text, permission="host:configure", subject=context.caller_id or "")
