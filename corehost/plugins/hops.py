"""Count the steps through which calls cause one another, and hand on what is left of the deadline."""

from __future__ import annotations

import time
from typing import Final

from corehost.contract.errors import HopLimitError
from corehost.contract.user import UserContext
from corehost.messaging.trail import Trail, current_trail

MAX_HOPS: Final = 32


def next_trail(user: UserContext | None, timeout: float) -> Trail:
    """Return the trail of a call made here: one hop further, and no later than whoever waits for us."""
    here = current_trail()
    if here.hops >= MAX_HOPS:
        raise HopLimitError(f"Calls and messages caused one another through {MAX_HOPS} steps: most likely a loop.")
    mine = time.monotonic() + timeout
    deadline = mine if here.deadline is None else min(mine, here.deadline)
    return Trail(cause=here.cause, hops=here.hops + 1, deadline=deadline, user=user, session=here.session)
