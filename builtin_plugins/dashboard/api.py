"""The methods of the dashboard: widgets, layouts, and the data of its own widgets."""

from __future__ import annotations

import time
from typing import Any

from builtin_plugins.dashboard.activity import RECENT, activity, recent, statistics
from builtin_plugins.dashboard.board import Board
from builtin_plugins.dashboard.layouts import LAYOUT_SCHEMA, Layout
from builtin_plugins.dashboard.widgets import OWN, WIDGET_SCHEMA, Widget
from corehost import ApiDocumentation, ApiExample, ApiSpec, Method, MethodContext, MethodDocumentation

_ALL = 10_000  # as much as the bus remembers at most
_NOTHING = {"type": ["object", "null"], "additionalProperties": False}
_SAVED_SCHEMA = {
    "type": "object",
    "properties": {"success": {"type": "boolean"}, "layout": LAYOUT_SCHEMA},
    "required": ["success", "layout"],
}
_EXAMPLE_LAYOUT = {"columns": 3, "widgets": [{"id": "stats", "position": {"x": 0, "y": 0, "w": 2, "h": 1}}]}

DOCS = ApiDocumentation(
    title="Dashboard API",
    description="API for managing dashboard widgets and layouts",
    methods={
        "getWidgets": MethodDocumentation(
            summary="Retrieve available widgets",
            examples=(ApiExample(title="Get all widgets", input={}, output=list(OWN[:1])),),
        ),
        "getLayout": MethodDocumentation(
            summary="Retrieve a user's layout",
            description="Without userId, the layout of the user who asks; the shared one if they arranged nothing.",
            examples=(ApiExample(title="Get my layout", input={}, output=_EXAMPLE_LAYOUT),),
        ),
        "saveLayout": MethodDocumentation(
            summary="Keep a layout for the user who asks",
            description="Gaps are closed and overlaps resolved; the answer holds the layout as it was saved.",
            examples=(
                ApiExample(
                    title="Show one widget only",
                    input={"layout": _EXAMPLE_LAYOUT},
                    output={"success": True, "layout": _EXAMPLE_LAYOUT},
                ),
            ),
        ),
        "resetLayout": MethodDocumentation(summary="Go back to the shared layout"),
        "getStatistics": MethodDocumentation(summary="The data of the widget 'stats'"),
        "getActivity": MethodDocumentation(summary="The data of the widget 'chart'"),
        "getRecent": MethodDocumentation(summary="The data of the widget 'recent'"),
    },
)


def api_spec(board: Board) -> ApiSpec:
    """Return the methods, working on *board*."""
    return ApiSpec(version="1.0.0", methods={**_reading(board), **_saving(board), **_data(board)}, docs=DOCS)


def _reading(board: Board) -> dict[str, Method]:
    def get_widgets(input: Any, context: MethodContext) -> list[Widget]:
        return board.widgets(context.user)

    def get_layout(input: dict[str, str] | None, context: MethodContext) -> Layout:
        return board.layout(context.user, (input or {}).get("userId"))

    return {
        "getWidgets": Method(
            changes=False,
            handler=get_widgets,
            description="Get available dashboard widgets",
            output_schema={"type": "array", "items": WIDGET_SCHEMA},
        ),
        "getLayout": Method(
            changes=False,
            handler=get_layout,
            description="Get dashboard layout for a user",
            input_schema={"type": ["object", "null"], "properties": {"userId": {"type": "string"}}},
            output_schema=LAYOUT_SCHEMA,
        ),
    }


def _saving(board: Board) -> dict[str, Method]:
    def save_layout(input: dict[str, Layout], context: MethodContext) -> dict[str, Any]:
        return {"success": True, "layout": board.save_layout(context.user, input["layout"])}

    def reset_layout(input: Any, context: MethodContext) -> dict[str, Any]:
        return {"success": True, "layout": board.save_layout(context.user, None)}

    return {
        "saveLayout": Method(
            handler=save_layout,
            description="Save dashboard layout",
            input_schema={"type": "object", "properties": {"layout": LAYOUT_SCHEMA}, "required": ["layout"]},
            output_schema=_SAVED_SCHEMA,
            permissions=("storage:write",),
        ),
        "resetLayout": Method(
            handler=reset_layout,
            description="Go back to the shared layout",
            input_schema=_NOTHING,
            output_schema=_SAVED_SCHEMA,
            permissions=("storage:write",),
        ),
    }


def _data(board: Board) -> dict[str, Method]:
    def get_statistics(input: Any, context: MethodContext) -> dict[str, Any]:
        core = board.context.core
        return statistics(core.plugins.get_all(), core.messages.get_history(limit=_ALL))

    def get_activity(input: Any, context: MethodContext) -> dict[str, Any]:
        return activity(board.context.core.messages.get_history(limit=_ALL), int(time.time() * 1000))

    def get_recent(input: Any, context: MethodContext) -> dict[str, Any]:
        return recent(board.context.core.messages.get_history(limit=RECENT))

    return {
        "getStatistics": Method(handler=get_statistics, description="Plugins and messages at a glance", changes=False),
        "getActivity": Method(
            handler=get_activity, description="Messages of each of the last 30 minutes", changes=False
        ),
        "getRecent": Method(handler=get_recent, description="The newest messages", changes=False),
    }
