"""How much the bus keeps and lets through."""

from __future__ import annotations

from dataclasses import dataclass

from corehost.messaging.feed import SHARE as FEED_SHARE
from corehost.messaging.history import CEILING, SHARE, SIZE
from corehost.messaging.plan import LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class BusLimits:
    """The numbers of messages that the bus keeps, and the hops that one may cause.

    ``history`` are kept in all and ``history_share`` of each source, but never more than ``history_ceiling``;
    ``feed_share`` of each source may wait in one feed; ``plans`` types are remembered with who hears them.
    """

    history: int = SIZE
    history_share: int = SHARE
    history_ceiling: int = CEILING
    feed_share: int = FEED_SHARE
    plans: int = LIMIT
    hops: int = 32
