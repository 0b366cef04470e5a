"""Who hears a message type, worked out once and kept until it changes."""

from __future__ import annotations

import threading
from collections.abc import Callable

from corehost.contract.acceptance import Accepts
from corehost.contract.errors import InvalidError
from corehost.contract.schema import Checker
from corehost.messaging.lane import Box, Lane
from corehost.messaging.patterns import ANY, check_text
from corehost.messaging.schemas import Schemas
from corehost.messaging.subscription import Subscription
from corehost.messaging.subscriptions import Subscriptions
from corehost.messaging.waiter import Waiter

LIMIT = 4_096
"""Types whose plans are kept; senders may invent types without end."""

CORE = "core"
_CORE_TYPES = f"{CORE}:"

Route = tuple[Lane, tuple[Subscription, ...]]
"""A lane, and those of its owner's subscriptions that hear the message, in order."""

Way = tuple[Accepts, tuple[tuple[Box, tuple[Subscription, ...]], ...]]
"""What recognises valid payloads, and for each lane the box of one source and who hears the message there."""

NO_WAY: Way = (lambda _: False, ())
"""The way of messages of which each must be looked at."""


class Plan:
    """How messages of one type are checked and who hears them.

    ``subscriptions`` are all in the order in which a request asks them; ``routes`` are the same by lane;
    ``is_plain``: none has a filter or limits its sources. ``waiters`` wait for one message. ``is_simple``: plain, none
    waits, everybody may send it, and nobody looks at it first. ``ways`` are what was found out by source for that case;
    they are given up with the plan.
    """

    __slots__ = (
        "check",
        "check_response",
        "is_core",
        "is_plain",
        "is_simple",
        "routes",
        "subscriptions",
        "type",
        "waiters",
        "ways",
    )

    def __init__(
        self,
        message_type: str,
        found: list[Subscription],
        check: Checker,
        check_response: Checker,
        *,
        is_vetted: bool = False,
    ) -> None:
        self.type = message_type
        self.is_core = message_type.startswith(_CORE_TYPES)
        self.check = check
        self.check_response = check_response
        # One pass and no comprehensions, which are calls: the first message of a type waits for this.
        waiters: list[Waiter] = []
        heard: list[Subscription] = []
        by_lane: dict[Lane, list[Subscription]] = {}
        is_plain = True
        for one in found:
            if isinstance(one, Waiter):
                waiters.append(one)
                continue
            heard.append(one)
            if one.is_choosy:
                is_plain = False
            if one.lane in by_lane:
                by_lane[one.lane].append(one)
            else:
                by_lane[one.lane] = [one]
        self.waiters = tuple(waiters)
        self.subscriptions = tuple(heard)
        self.is_plain = is_plain
        self.is_simple = is_plain and not waiters and not self.is_core and not is_vetted
        routes: list[Route] = []
        for lane, of_lane in by_lane.items():
            routes.append((lane, tuple(of_lane)))
        self.routes = tuple(routes)
        self.ways: dict[str, Way] = {}

    def way_of(self, source: str) -> Way:
        """Return the way of messages of *source*, and keep it. Call it under the lock that orders messages."""
        way = NO_WAY
        if self.is_simple:
            stops = []
            for lane, heard in self.routes:
                stops.append((lane.box_of(source), heard))  # no comprehension here either
            way = self.check.accepts, tuple(stops)
        self.ways[source] = way
        return way


class Plans:
    """Makes plans and keeps them; ``kept`` is read without a lock, by type."""

    def __init__(self, *, limit: int = LIMIT) -> None:
        self.kept: dict[str, Plan] = {}
        self.subscriptions = Subscriptions(self._resubscribed)
        self.schemas = Schemas(self._drop)
        self._limit = limit
        self._is_vetted = False
        # Held while a plan is made and kept, and by whoever drops one after a change: an outdated plan cannot stay.
        self._lock = threading.RLock()  # a finalizer may come in between, see order.py

    def of(self, message_type: str) -> Plan:
        """Return the plan of a type; raises ``InvalidError`` for what can be no message type."""
        check_text(message_type, "message type")
        if ANY in message_type:
            raise InvalidError(f"{message_type!r} is a pattern. Send a message of one type.")
        with self._lock:
            plan = self.kept.get(message_type)
            if plan is None:
                heard, checkers = self.subscriptions.of(message_type), self.schemas.checkers(message_type)
                plan = Plan(message_type, heard, *checkers, is_vetted=self._is_vetted)
                if len(self.kept) >= self._limit:
                    self.kept.clear()
                self.kept[message_type] = plan
            return plan

    def vetted(self, *, is_vetted: bool) -> None:
        """Let plans know from now on whether somebody looks at messages before they are published."""
        with self._lock:
            self._is_vetted = is_vetted
            self.kept.clear()

    def _resubscribed(self, subscription: Subscription) -> None:
        if subscription.pattern.is_exact:
            self._drop(subscription.pattern.text)
        else:
            self._drop_where(subscription.pattern.matches)

    def _drop(self, message_type: str) -> None:
        with self._lock:
            self.kept.pop(message_type, None)

    def _drop_where(self, matches: Callable[[str], bool]) -> None:
        with self._lock:
            for message_type in [kept for kept in self.kept if matches(kept)]:
                del self.kept[message_type]
