"""What is known of a version of a plugin before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from corehost.contract.manifest import Manifest
from corehost.plugins.sources import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A version that was run in a process of its own, if it may be run.

    ``contracts`` is what it declared there, as ``declared_by`` tells it; empty for one that ``waits`` for settings or
    for consent before it can be enabled. ``origin`` is where it lay, ``source`` what it was got from.
    """

    manifest: Manifest
    contracts: Mapping[str, Any]
    origin: Origin
    source: str
    waits: bool = False
