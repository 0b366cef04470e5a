"""The messages that the dashboard handles, sends and listens to."""

from __future__ import annotations

from typing import Any

from builtin_plugins.dashboard.board import Board
from corehost import Handler, Message, MessageSchema, MessagesSpec, SubscriptionSpec

_WIDGET_ID = {"type": "object", "properties": {"widgetId": {"type": "string"}}, "required": ["widgetId"]}

SCHEMAS = {
    "widget:refresh": MessageSchema(
        type="dashboard:widget:refresh",
        payload=_WIDGET_ID,
        response={
            "type": "object",
            "properties": {"refreshed": {"type": "boolean"}, "widgetId": {"type": "string"}},
            "required": ["refreshed", "widgetId"],
        },
        expects_response=True,
        description="Request a widget to refresh its data",
    ),
    "widget:refreshed": MessageSchema(
        type="dashboard:widget:refreshed",
        payload=_WIDGET_ID,
        description="Notification that every open page shall fetch a widget's data anew",
    ),
    "layout:changed": MessageSchema(
        type="dashboard:layout:changed",
        payload={
            "type": "object",
            "properties": {"layout": {"type": "object"}, "userId": {"type": "string"}},
        },
        description="Notification that the dashboard layout has changed",
    ),
    "widget:added": MessageSchema(
        type="dashboard:widget:added",
        payload={
            "type": "object",
            "properties": {
                "widgetId": {"type": "string"},
                "widgetType": {"type": "string"},
                "position": {"type": "object"},
            },
        },
        description="Notification that a widget was added to the dashboard",
    ),
}


def messages_spec(board: Board) -> MessagesSpec:
    """Return handlers, schemas and subscriptions, working on *board*."""

    def refresh(message: Message) -> dict[str, Any]:
        widget_id = message.payload["widgetId"]
        is_known = board.has_widget(widget_id)
        if is_known:
            board.context.core.messages.send("dashboard:widget:refreshed", {"widgetId": widget_id})
        return {"refreshed": is_known, "widgetId": widget_id}

    def note_layout(message: Message) -> None:
        board.context.logger.debug("Layout changed", user=message.payload.get("userId"))

    def note_analytics(message: Message) -> None:
        board.context.logger.debug("Analytics event received", type=message.type)

    def note_preferences(message: Message) -> None:
        board.context.logger.debug("User preferences changed", user=message.payload.get("userId"))

    own = {"widget:refresh": Handler(handle=refresh, priority=10), "layout:changed": Handler(handle=note_layout)}
    of_others = (
        SubscriptionSpec(type="analytics:*", handler=Handler(handle=note_analytics)),
        SubscriptionSpec(type="user:preferences:changed", source="settings", handler=Handler(handle=note_preferences)),
    )
    return MessagesSpec(handlers=own, schemas=SCHEMAS, subscriptions=of_others)
