"""The data of the dashboard's own widgets, from what the bus remembers and the registry knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from corehost import Message, PluginInstance

MINUTES = 30
RECENT = 10
_MINUTE = 60_000  # ms


def statistics(plugins: Sequence[PluginInstance], messages: Sequence[Message]) -> dict[str, Any]:
    """Return the numbers at a glance."""
    by_status = Counter(plugin.status for plugin in plugins)
    items = [
        {"label": "Plugins", "value": by_status["enabled"], "detail": f"enabled of {len(plugins)}"},
        {"label": "Failing", "value": by_status["error"], "detail": "plugins"},
        {"label": "Messages", "value": len(messages), "detail": "remembered"},
        {"label": "Types", "value": len({message.type for message in messages}), "detail": "of messages"},
    ]
    return {"items": items}


def activity(messages: Sequence[Message], now: int) -> dict[str, Any]:
    """Return the messages of each of the last 30 minutes; *now* is in milliseconds since the epoch."""
    last = now // _MINUTE
    counts = Counter(message.timestamp // _MINUTE for message in messages)
    points = [{"x": minute * _MINUTE, "y": counts[minute]} for minute in range(last - MINUTES + 1, last + 1)]
    return {"kind": "bars", "series": [{"label": "Messages a minute", "points": points}]}


def recent(messages: Sequence[Message], limit: int = RECENT) -> dict[str, Any]:
    """Return the newest messages, newest first; types and sources only, as payloads are not for everybody."""
    newest = reversed(messages[-limit:])
    items = [
        {"title": message.type, "detail": f"from {message.source}", "time": message.timestamp} for message in newest
    ]
    return {"items": items}
