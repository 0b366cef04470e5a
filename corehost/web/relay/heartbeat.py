"""Find the connections whose other end is gone."""

from __future__ import annotations

import time
from collections import deque

from corehost.web.relay.client import Client, State
from corehost.web.relay.limits import RelayLimits
from corehost.web.relay.loop import Loop

_STEP = 0.25  # of the interval: clients that came in one moment are spread by when they came


class Heartbeat:
    """Gives every client a sign of life at each interval and aborts who missed too many in a row."""

    def __init__(self, loop: Loop, limits: RelayLimits) -> None:
        self._loop = loop
        self._limits = limits
        self._due: deque[tuple[float, Client]] = deque()  # in order, because all have the same interval

    def start(self) -> None:
        """Begin to beat."""
        self._loop.later(min(1.0, self._limits.heartbeat * _STEP), self._beat)

    def add(self, client: Client) -> None:
        """Watch over *client* until it is closed."""
        self._due.append((time.monotonic() + self._limits.heartbeat, client))

    def _beat(self) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            _, client = self._due.popleft()
            if client.state is State.OPEN:
                self._check(client)
                self.add(client)
        self.start()

    def _check(self, client: Client) -> None:
        client.silent = 0 if client.heard or client.paused else client.silent + 1
        if client.silent >= self._limits.misses:
            client.abort()
            return
        client.heard = False
        client.beat()
