"""The stores of the dashboard: what there is to show, how it is laid out, and how it looks."""

from __future__ import annotations

from typing import TypedDict

from builtin_plugins.dashboard.layouts import LAYOUT_SCHEMA, Layout
from builtin_plugins.dashboard.widgets import OWN, WIDGET_SCHEMA, Widget
from corehost import Readable, StoresSpec, Writable, derived, writable


class Preferences(TypedDict):
    """How the dashboard looks, for everybody; ``refreshInterval`` is in seconds."""

    theme: str
    refreshInterval: float
    compactMode: bool


class Stores:
    """The stores of one load: all widgets, the layout of those who have none of their own, preferences."""

    def __init__(self) -> None:
        self.widgets: Writable[list[Widget]] = writable(list(OWN))
        self.layout: Writable[Layout | None] = writable(None)
        self.preferences: Writable[Preferences] = writable(
            {"theme": "auto", "refreshInterval": 30, "compactMode": False}
        )
        self.is_loading: Writable[bool] = writable(False)
        self.active_widgets: Readable[list[Widget]] = derived((self.widgets, self.layout), active)


def active(widgets: list[Widget], layout: Layout | None) -> list[Widget]:
    """Return those of *widgets* that *layout* shows, in its order."""
    if layout is None:
        return []
    known = {widget["id"]: widget for widget in widgets}
    return [known[placed["id"]] for placed in layout["widgets"] if placed["id"] in known]


def stores_spec(stores: Stores) -> StoresSpec:
    """Return the declaration of *stores*."""
    return StoresSpec(
        readable={"activeWidgets": stores.active_widgets, "isLoading": stores.is_loading},
        writable={"widgets": stores.widgets, "layout": stores.layout, "preferences": stores.preferences},
        schemas={
            "widgets": {"type": "array", "items": WIDGET_SCHEMA},
            "layout": {"anyOf": [{"type": "null"}, LAYOUT_SCHEMA]},
            "preferences": {
                "type": "object",
                "properties": {
                    "theme": {"type": "string", "enum": ["light", "dark", "auto"]},
                    "refreshInterval": {"type": "number", "minimum": 5},
                    "compactMode": {"type": "boolean"},
                },
                "required": ["theme", "refreshInterval", "compactMode"],
                "additionalProperties": False,
            },
        },
    )
