"""The methods by which a user's theme is read and chosen."""

from __future__ import annotations

from typing import Any

from builtin_plugins.core_ui.appearance import Appearance
from builtin_plugins.core_ui.manifest import THEMES
from corehost import ApiDocumentation, ApiExample, ApiSpec, Method, MethodContext, MethodDocumentation

THEME_SCHEMA = {
    "type": "object",
    "properties": {"theme": {"type": "string", "enum": list(THEMES)}},
    "required": ["theme"],
    "additionalProperties": False,
}

DOCS = ApiDocumentation(
    title="Core UI API",
    description="How the shell looks for the user who asks.",
    methods={
        "getTheme": MethodDocumentation(
            summary="Read the theme of the user who asks",
            examples=(ApiExample(title="A user who follows the device", input={}, output={"theme": "auto"}),),
        ),
        "setTheme": MethodDocumentation(
            summary="Choose the theme of the user who asks",
            description="All open pages of that user change at once.",
            examples=(ApiExample(title="Go dark", input={"theme": "dark"}, output={"theme": "dark"}),),
        ),
    },
)


def api_spec(appearance: Appearance) -> ApiSpec:
    """Return the methods, working on *appearance*."""

    def get_theme(input: Any, context: MethodContext) -> dict[str, str]:
        return {"theme": appearance.theme()}

    def set_theme(input: dict[str, str], context: MethodContext) -> dict[str, str]:
        appearance.set_theme(input["theme"])
        return {"theme": input["theme"]}

    return ApiSpec(
        version="1.0.0",
        methods={
            "getTheme": Method(
                changes=False,
                handler=get_theme,
                description="The theme of the user who asks.",
                output_schema=THEME_SCHEMA,
            ),
            "setTheme": Method(
                handler=set_theme,
                description="Choose the theme of the user who asks.",
                input_schema=THEME_SCHEMA,
                output_schema=THEME_SCHEMA,
            ),
        },
        docs=DOCS,
    )
