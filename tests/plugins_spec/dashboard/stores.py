from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from corehost import StoresSpec, Writable, derived, writable


# Types
class Widget(TypedDict):
    id: str
    type: str
    title: str
    config: NotRequired[dict[str, Any]]


class Position(TypedDict):
    x: int
    y: int
    w: int
    h: int


class Placed(TypedDict):
    id: str
    position: Position


class Layout(TypedDict):
    columns: int
    widgets: list[Placed]


class DashboardPreferences(TypedDict):
    theme: str
    refreshInterval: float
    compactMode: bool


# Internal stores
widgets: Writable[list[Widget]] = writable([])
layout: Writable[Layout | None] = writable(None)
preferences: Writable[DashboardPreferences] = writable(
    {
        "theme": "auto",
        "refreshInterval": 30,
        "compactMode": False,
    }
)
is_loading = writable(False)


# Derived stores
def find_active(widgets: list[Widget], layout: Layout | None) -> list[Widget]:
    if not layout:
        return []
    found = (next((widget for widget in widgets if widget["id"] == w["id"]), None) for w in layout["widgets"])
    return [widget for widget in found if widget]


active_widgets = derived((widgets, layout), find_active)

stores = StoresSpec(
    readable={
        "activeWidgets": active_widgets,
        "isLoading": is_loading,
    },
    writable={
        "widgets": widgets,
        "layout": layout,
        "preferences": preferences,
    },
    schemas={
        "widgets": {
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
        "preferences": {
            "type": "object",
            "properties": {
                "theme": {"type": "string", "enum": ["light", "dark", "auto"]},
                "refreshInterval": {"type": "number"},
                "compactMode": {"type": "boolean"},
            },
        },
    },
)
