"""Put the messaging layer together."""

from __future__ import annotations

from collections.abc import Callable

from corehost.messaging.bus import Bus
from corehost.messaging.calls import Calls
from corehost.messaging.events import Events
from corehost.messaging.faults import FaultSink
from corehost.messaging.lanes import DEADLINE, Lanes
from corehost.messaging.signals import Signals
from corehost.messaging.timers import Timers


class Messaging:
    """Bus and lanes, and what else gives code its turn, for the layers above.

    *deadline* is how many seconds one handler may take; *may_know_user* tells whether the handlers of a plugin may
    be told who is behind a message.
    """

    def __init__(self, faults: FaultSink, *, may_know_user: Callable[[str], bool], deadline: float = DEADLINE) -> None:
        self.signals = Signals()
        self.lanes = Lanes(faults, deadline=deadline)
        self.calls = Calls()
        self.timers = Timers()
        self.events = Events(self.lanes)
        self.bus = Bus(
            lanes=self.lanes, calls=self.calls, faults=faults, signals=self.signals, may_know_user=may_know_user
        )

    def close(self) -> None:
        """Send nothing more, and end the threads."""
        self.bus.close()
        self.timers.close()
        self.calls.close()
        self.lanes.close()
