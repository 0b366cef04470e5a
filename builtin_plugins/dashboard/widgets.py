"""What a widget is, and the three that the dashboard has of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NotRequired, TypedDict


class Size(TypedDict):
    """How many columns and rows a widget takes."""

    w: int
    h: int


class Source(TypedDict):
    """The method that a browser calls for a widget's data."""

    plugin: str
    method: str
    input: Any


class Widget(TypedDict):
    """One widget as methods and stores give it; ``id`` is ``<plugin>:<id>`` for those of other plugins."""

    id: str
    type: str
    title: str
    source: Source
    description: NotRequired[str]
    icon: NotRequired[str]
    updates: NotRequired[list[str]]
    size: NotRequired[Size]


TYPES = ("statistics", "chart", "list", "text")
SIZE_SCHEMA = {
    "type": "object",
    "properties": {
        "w": {"type": "integer", "minimum": 1, "maximum": 6},
        "h": {"type": "integer", "minimum": 1, "maximum": 4},
    },
    "required": ["w", "h"],
    "additionalProperties": False,
}
_COMMON = {
    "type": {"type": "string", "enum": list(TYPES)},
    "title": {"type": "string", "minLength": 1, "maxLength": 80},
    "description": {"type": "string", "maxLength": 300},
    "icon": {"type": "string"},
    "updates": {"type": "array", "maxItems": 10, "items": {"type": "string", "minLength": 1}},
    "size": SIZE_SCHEMA,
}
CONTRIBUTED_SCHEMA = {
    "type": "array",
    "maxItems": 50,
    "items": {
        "type": "object",
        "properties": {
            **_COMMON,
            "id": {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,63}$"},
            "method": {"type": "string", "minLength": 1},
            "input": {},
        },
        "required": ["id", "type", "title", "method"],
        "additionalProperties": False,
    },
}
"""What an implementer of ``dashboard_widgets`` returns."""

WIDGET_SCHEMA = {
    "type": "object",
    "properties": {
        **_COMMON,
        "id": {"type": "string"},
        "source": {
            "type": "object",
            "properties": {"plugin": {"type": "string"}, "method": {"type": "string"}, "input": {}},
            "required": ["plugin", "method"],
        },
    },
    "required": ["id", "type", "title", "source"],
}
"""What browsers and other plugins get."""

OWN: tuple[Widget, ...] = (
    {
        "id": "stats",
        "type": "statistics",
        "title": "Statistics",
        "description": "Plugins and messages at a glance.",
        "icon": "123",
        "source": {"plugin": "dashboard", "method": "getStatistics", "input": {}},
        "updates": ["core:plugin:*"],
        "size": {"w": 2, "h": 1},
    },
    {
        "id": "chart",
        "type": "chart",
        "title": "Activity Chart",
        "description": "Messages on the bus in the last half hour.",
        "icon": "bar-chart",
        "source": {"plugin": "dashboard", "method": "getActivity", "input": {}},
        "updates": ["analytics:data-updated"],
        "size": {"w": 1, "h": 2},
    },
    {
        "id": "recent",
        "type": "list",
        "title": "Recent Items",
        "description": "The newest messages.",
        "icon": "clock-history",
        "source": {"plugin": "dashboard", "method": "getRecent", "input": {}},
        "updates": ["analytics:data-updated"],
        "size": {"w": 2, "h": 1},
    },
)


def contributed(answers: Iterable[tuple[str, list[dict[str, Any]]]]) -> list[Widget]:
    """Return the widgets of other plugins, from what their hooks answered; a second one of the same id is left out."""
    found: dict[str, Widget] = {}
    for plugin_id, offers in answers:
        for offer in offers:
            widget = _widget(plugin_id, offer)
            found.setdefault(widget["id"], widget)
    return list(found.values())


def _widget(plugin_id: str, offer: dict[str, Any]) -> Widget:
    shown = {key: value for key, value in offer.items() if key not in ("method", "input")}
    source: Source = {"plugin": plugin_id, "method": offer["method"], "input": offer.get("input", {})}
    return {**shown, "id": f"{plugin_id}:{offer['id']}", "source": source}  # type: ignore[typeddict-item]  # checked by CONTRIBUTED_SCHEMA
