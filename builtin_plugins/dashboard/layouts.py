"""Where widgets stand: a grid of columns, filled row by row with the first place that fits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import TypedDict

from builtin_plugins.dashboard.widgets import Size, Widget

MAX_COLUMNS = 6
STYLES = ("grid", "list", "compact")
_COLUMNS = {"grid": 3, "list": 1, "compact": 4}


class Position(TypedDict):
    """A place in the grid; ``x`` and ``y`` count from 0."""

    x: int
    y: int
    w: int
    h: int


class Placed(TypedDict):
    """A widget in its place."""

    id: str
    position: Position


class Layout(TypedDict):
    """How one dashboard is laid out; widgets that are not in it are hidden."""

    columns: int
    widgets: list[Placed]


_NATURAL = {"type": "integer", "minimum": 0, "maximum": 1000}
LAYOUT_SCHEMA = {
    "type": "object",
    "properties": {
        "columns": {"type": "integer", "minimum": 1, "maximum": MAX_COLUMNS},
        "widgets": {
            "type": "array",
            "maxItems": 200,
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "minLength": 1},
                    "position": {
                        "type": "object",
                        "properties": {
                            "x": _NATURAL,
                            "y": _NATURAL,
                            "w": {"type": "integer", "minimum": 1, "maximum": MAX_COLUMNS},
                            "h": {"type": "integer", "minimum": 1, "maximum": 4},
                        },
                        "required": ["x", "y", "w", "h"],
                        "additionalProperties": False,
                    },
                },
                "required": ["id", "position"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["columns", "widgets"],
    "additionalProperties": False,
}


def default_layout(style: str, widgets: Sequence[Widget]) -> Layout:
    """Return the layout of somebody who arranged nothing; *style* is one of ``STYLES``."""
    columns = _COLUMNS[style]
    return arrange(columns, [(widget["id"], _size(style, widget)) for widget in widgets])


def tidied(layout: Layout) -> Layout:
    """Return *layout* without gaps and overlaps, its widgets in reading order, each once."""
    in_order = sorted(layout["widgets"], key=lambda placed: (placed["position"]["y"], placed["position"]["x"]))
    sizes: dict[str, Size] = {}
    for placed in in_order:
        position = placed["position"]
        sizes.setdefault(placed["id"], {"w": position["w"], "h": position["h"]})
    return arrange(layout["columns"], sizes.items())


def arrange(columns: int, sizes: Iterable[tuple[str, Size]]) -> Layout:
    """Place widgets one after the other, each at the first free place that is wide and high enough."""
    taken: set[tuple[int, int]] = set()
    placed: list[Placed] = []
    for widget_id, size in sizes:
        w, h = min(size["w"], columns), size["h"]
        x, y = next((x, y) for x, y in _places(columns, w) if taken.isdisjoint(_cells(x, y, w, h)))
        taken.update(_cells(x, y, w, h))
        placed.append({"id": widget_id, "position": {"x": x, "y": y, "w": w, "h": h}})
    placed.sort(key=lambda one: (one["position"]["y"], one["position"]["x"]))
    return {"columns": columns, "widgets": placed}


def _size(style: str, widget: Widget) -> Size:
    return widget["size"] if "size" in widget and style != "compact" else {"w": 1, "h": 1}


def _places(columns: int, w: int) -> Iterator[tuple[int, int]]:
    return ((x, y) for y in count() for x in range(columns - w + 1))


def _cells(x: int, y: int, w: int, h: int) -> set[tuple[int, int]]:
    return {(column, row) for column in range(x, x + w) for row in range(y, y + h)}
