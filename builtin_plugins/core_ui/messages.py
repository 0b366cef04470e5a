"""The messages that the shell sends, and the one by which anybody can show a notification."""

from __future__ import annotations

from builtin_plugins.core_ui.manifest import THEMES
from corehost import MessageSchema, MessagesSpec

LEVELS = ("info", "success", "warning", "danger")

MESSAGES = MessagesSpec(
    schemas={
        "theme:changed": MessageSchema(
            type="core-ui:theme:changed",
            description="A user chose another theme.",
            payload={
                "type": "object",
                "properties": {"user": {"type": "string"}, "theme": {"type": "string", "enum": list(THEMES)}},
                "required": ["user", "theme"],
            },
        ),
        "notification": MessageSchema(
            type="notification:show",
            description="Show a notification in the browser of everybody, or of the target user or session.",
            payload={
                "type": "object",
                "properties": {
                    "text": {"type": "string", "minLength": 1, "maxLength": 500},
                    "title": {"type": "string", "maxLength": 80},
                    "level": {"type": "string", "enum": list(LEVELS)},
                },
                "required": ["text"],
            },
        ),
    },
)
