"""The store by which open pages follow the operator's brand and accent."""

from __future__ import annotations

from builtin_plugins.core_ui.appearance import Appearance
from builtin_plugins.core_ui.manifest import ACCENTS
from corehost import StoresSpec


def stores_spec(appearance: Appearance) -> StoresSpec:
    """Return the stores of *appearance*."""
    return StoresSpec(
        readable={"look": appearance.look},
        schemas={
            "look": {
                "type": "object",
                "properties": {"brand": {"type": "string"}, "accent": {"type": "string", "enum": list(ACCENTS)}},
                "required": ["brand", "accent"],
            }
        },
    )
