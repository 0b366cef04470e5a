"""What analytics offers to the dashboard, if there is one."""

from __future__ import annotations

from typing import Any

_UPDATES = ["analytics:data-updated"]

WIDGETS: list[dict[str, Any]] = [
    {
        "id": "volume",
        "type": "chart",
        "title": "Messages by hour",
        "description": "The last day, recorded by analytics.",
        "icon": "graph-up",
        "method": "getSeries",
        "input": {"step": "hour", "periods": 24},
        "updates": _UPDATES,
        "size": {"w": 2, "h": 1},
    },
    {
        "id": "top-types",
        "type": "list",
        "title": "Most frequent types",
        "description": "What the bus carried most in the last day.",
        "icon": "list-ol",
        "method": "getTopTypes",
        "input": {"limit": 8},
        "updates": _UPDATES,
        "size": {"w": 1, "h": 1},
    },
]
