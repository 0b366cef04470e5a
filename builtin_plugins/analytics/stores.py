"""The store by which others follow how much was recorded."""

from __future__ import annotations

from builtin_plugins.analytics.recorder import Recorder
from corehost import StoresSpec


def stores_spec(recorder: Recorder) -> StoresSpec:
    """Return the stores of *recorder*."""
    return StoresSpec(
        readable={"totals": recorder.totals},
        schemas={
            "totals": {
                "type": "object",
                "properties": {"recorded": {"type": "integer"}, "last": {"type": ["integer", "null"]}},
                "required": ["recorded", "last"],
            }
        },
    )
