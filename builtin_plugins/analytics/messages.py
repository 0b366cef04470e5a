"""What analytics hears, and what it tells."""

from __future__ import annotations

from builtin_plugins.analytics.recorder import Recorder
from corehost import Handler, MessageSchema, MessagesSpec, SubscriptionSpec


def messages_spec(recorder: Recorder) -> MessagesSpec:
    """Return the subscription to all that counts, and the schema of what is sent, working on *recorder*."""
    return MessagesSpec(
        schemas={
            "data-updated": MessageSchema(
                type="analytics:data-updated",
                description="More was recorded; sent every two seconds at most.",
                payload={
                    "type": "object",
                    "properties": {"recorded": {"type": "integer", "minimum": 1}},
                    "required": ["recorded"],
                },
            )
        },
        subscriptions=(SubscriptionSpec(type="*", handler=Handler(handle=recorder.record, filter=recorder.is_wanted)),),
    )
