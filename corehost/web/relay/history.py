"""What of the bus's history somebody may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from corehost.contract.message import Message
from corehost.web.relay.backend import Backend, Gap, Identity
from corehost.web.relay.subscriber import reaches
from corehost.web.relay.verdicts import Verdicts

_ALL = 20_000  # more than the host keeps


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Messages, oldest first, with the cursor from which to go on; ``gap`` lies before the first."""

    items: list[Message]
    cursor: str
    gap: Gap | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the page as the wire has it."""
        page: dict[str, Any] = {"items": self.items, "cursor": self.cursor}
        return page if self.gap is None else {**page, "gap": {"from": self.gap.start, "to": self.gap.end}}


def read_history(
    backend: Backend, verdicts: Verdicts, identity: Identity, pattern: str | None, limit: int, since: str | None
) -> Page:
    """Return the oldest *limit* messages after *since*, or the newest *limit* without it, that *identity* may see."""
    position = backend.position()
    replay = backend.replay(pattern, since, _ALL, position)
    seen = [m for m in replay.messages if reaches(identity, m) and verdicts.find(identity, m.type)]
    if since is None:
        return Page(items=seen[-limit:], cursor=backend.cursor_of(position))
    items = seen[:limit]
    end = items[-1].seq if len(seen) > limit else position
    return Page(items=items, cursor=backend.cursor_of(end), gap=replay.gap)
