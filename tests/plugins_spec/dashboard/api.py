from __future__ import annotations

from typing import Any

from corehost import ApiDocumentation, ApiExample, ApiSpec, Method, MethodContext, MethodDocumentation


async def get_widgets(input: Any, context: MethodContext) -> list[dict[str, Any]]:
    # Return available widgets
    return [
        {"id": "stats", "type": "statistics", "title": "Statistics"},
        {"id": "chart", "type": "chart", "title": "Activity Chart"},
        {"id": "recent", "type": "list", "title": "Recent Items"},
    ]


async def get_layout(input: dict[str, Any], context: MethodContext) -> dict[str, Any]:
    # Return user's dashboard layout
    return {
        "columns": 3,
        "widgets": [
            {"id": "stats", "position": {"x": 0, "y": 0, "w": 2, "h": 1}},
            {"id": "chart", "position": {"x": 2, "y": 0, "w": 1, "h": 2}},
            {"id": "recent", "position": {"x": 0, "y": 1, "w": 2, "h": 1}},
        ],
    }


async def save_layout(input: dict[str, Any], context: MethodContext) -> dict[str, Any]:
    # Save layout to storage
    return {"success": True}


api = ApiSpec(
    version="1.0.0",
    methods={
        "getWidgets": Method(
            handler=get_widgets,
            description="Get available dashboard widgets",
            output_schema={
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string"},
                        "type": {"type": "string"},
                        "title": {"type": "string"},
                    },
                },
            },
        ),
        "getLayout": Method(
            handler=get_layout,
            input_schema={
                "type": "object",
                "properties": {
                    "userId": {"type": "string"},
                },
            },
            description="Get dashboard layout for a user",
        ),
        "saveLayout": Method(
            handler=save_layout,
            permissions=("storage:write",),
            description="Save dashboard layout",
        ),
    },
    docs=ApiDocumentation(
        title="Dashboard API",
        description="API for managing dashboard widgets and layouts",
        methods={
            "getWidgets": MethodDocumentation(
                summary="Retrieve available widgets",
                examples=(
                    ApiExample(
                        title="Get all widgets",
                        input={},
                        output=[{"id": "stats", "type": "statistics", "title": "Statistics"}],
                    ),
                ),
            ),
        },
    ),
)
