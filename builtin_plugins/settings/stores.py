"""The store by which open pages follow how the plugins fare."""

from __future__ import annotations

from builtin_plugins.settings.desk import Desk
from corehost import StoresSpec

_NUMBER = {"type": "integer", "minimum": 0}


def stores_spec(desk: Desk) -> StoresSpec:
    """Return the stores of *desk*."""
    return StoresSpec(
        readable={"overview": desk.overview},
        schemas={
            "overview": {
                "type": "object",
                "properties": {"total": _NUMBER, "enabled": _NUMBER, "failing": _NUMBER},
                "required": ["total", "enabled", "failing"],
            }
        },
    )
