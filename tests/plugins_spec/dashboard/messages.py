from __future__ import annotations

from typing import Any

from corehost import Handler, Message, MessageSchema, MessagesSpec, SubscriptionSpec


async def refresh_widget(message: Message) -> dict[str, Any]:
    widget_id = message.payload["widgetId"]
    print(f"Refreshing widget: {widget_id}")
    # Refresh widget data
    return {"refreshed": True, "widgetId": widget_id}


async def change_layout(message: Message) -> None:
    layout = message.payload["layout"]
    print("Layout changed:", layout)
    # Handle layout change


messages = MessagesSpec(
    handlers={
        "widget:refresh": Handler(handle=refresh_widget, priority=10),
        "layout:changed": Handler(handle=change_layout),
    },
    schemas={
        "widget:refresh": MessageSchema(
            type="dashboard:widget:refresh",
            payload={
                "type": "object",
                "properties": {
                    "widgetId": {"type": "string"},
                },
                "required": ["widgetId"],
            },
            response={
                "type": "object",
                "properties": {
                    "refreshed": {"type": "boolean"},
                    "widgetId": {"type": "string"},
                },
            },
            expects_response=True,
            description="Request a widget to refresh its data",
        ),
        "layout:changed": MessageSchema(
            type="dashboard:layout:changed",
            payload={
                "type": "object",
                "properties": {
                    "layout": {"type": "object"},
                },
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
    },
    subscriptions=(
        SubscriptionSpec(
            type="analytics:*",
            handler=Handler(handle=lambda message: print("Analytics event received:", message.type)),
        ),
        SubscriptionSpec(
            type="user:preferences:changed",
            source="settings",
            handler=Handler(handle=lambda _: print("User preferences changed")),
        ),
    ),
)
