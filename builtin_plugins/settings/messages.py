"""The messages by which settings are changed and told of."""

from __future__ import annotations

from typing import Any

from builtin_plugins.settings.desk import Desk
from corehost import Handler, HandlerContext, Message, MessageSchema, MessagesSpec, SubscriptionSpec

THEME = {"type": "string", "enum": ["light", "dark", "auto"]}

SCHEMAS = {
    "update": MessageSchema(
        type="settings:update",
        description="Change settings of the user behind the message.",
        payload={
            "type": "object",
            "properties": {"theme": THEME},
            "required": ["theme"],
            "additionalProperties": False,
        },
        response={
            "type": "object",
            "properties": {"updated": {"type": "array", "items": {"type": "string"}}},
            "required": ["updated"],
        },
        expects_response=True,
    ),
    "theme:changed": MessageSchema(
        type="settings:theme:changed",
        description="A user chose another theme.",
        payload={
            "type": "object",
            "properties": {"user": {"type": "string"}, "theme": THEME},
            "required": ["user", "theme"],
        },
    ),
    "config:changed": MessageSchema(
        type="settings:config:changed",
        description="A plugin's settings have changed and apply already; the values are for those who may read them.",
        payload={
            "type": "object",
            "properties": {"plugin": {"type": "string"}, "settings": {"type": "array", "items": {"type": "string"}}},
            "required": ["plugin", "settings"],
        },
    ),
    "preferences:changed": MessageSchema(
        type="user:preferences:changed",
        description="A user changed what they prefer.",
        payload={
            "type": "object",
            "properties": {"userId": {"type": "string"}, "preferences": {"type": "object"}},
            "required": ["userId", "preferences"],
        },
    ),
}


def messages_spec(desk: Desk) -> MessagesSpec:
    """Return handlers, schemas and subscriptions, working on *desk*."""

    def update(message: Message, context: HandlerContext) -> dict[str, Any]:
        if context.user is None:
            return {"updated": []}  # a theme belongs to a user, and nobody is behind this message
        desk.choose_theme(message.payload["theme"])
        return {"updated": ["theme"]}

    return MessagesSpec(
        handlers={"update": Handler(handle=update)},
        schemas=SCHEMAS,
        subscriptions=(
            SubscriptionSpec(type="core-ui:theme:changed", source="core-ui", handler=Handler(handle=desk.tell_theme)),
        ),
    )
