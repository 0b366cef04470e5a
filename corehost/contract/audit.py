"""One line of the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["done", "refused", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what to whom.

    ``at`` is in seconds since 1970; ``actor`` is ``user:<id>``, ``plugin:<id>``, ``core`` or ``anonymous``; ``action``
    is ``<area>:<verb>``; ``count`` is of how many equal things it tells, 1 unless they came often.
    """

    number: int = 0
    at: float
    actor: str
    action: str
    subject: str = ""
    outcome: Outcome = "done"
    detail: Mapping[str, Any] = field(default_factory=dict)
    count: int = 1
