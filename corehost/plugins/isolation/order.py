"""Say what one worker shall be: which plugin, and what it is confined to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from corehost.plugins.isolation.sandbox import Confinement, Limits
from corehost.plugins.sources import Origin, packed, unpacked


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the host asks its template for."""

    plugin_id: str
    origin: Origin
    confinement: Confinement

    def to_json(self) -> dict[str, Any]:
        """Return the order in JSON's types."""
        held = self.confinement
        return {
            "plugin": self.plugin_id,
            "origin": packed(self.origin),
            "folder": str(held.folder),
            "scratch": str(held.scratch),
            "uid": held.uid,
            "limits": asdict(held.limits),
        }


def order_from_json(data: dict[str, Any]) -> Order:
    """Return the order that *data* was made of."""
    return Order(
        plugin_id=data["plugin"],
        origin=unpacked(data["origin"]),
        confinement=Confinement(
            folder=Path(data["folder"]),
            scratch=Path(data["scratch"]),
            uid=data["uid"],
            limits=Limits(**data["limits"]),
        ),
    )
