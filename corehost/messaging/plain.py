"""Send messages that have nothing special about them, by the shortest way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from corehost.contract.message import Message
from corehost.messaging.feed import Feed
from corehost.messaging.history import BLOCK
from corehost.messaging.lane import Box
from corehost.messaging.order import Order
from corehost.messaging.plan import Plans, Way
from corehost.messaging.subscription import Delivery
from corehost.messaging.trail import NO_TRAIL, Trail, current_step

_ENDS = tuple(f"{place:03}" for place in range(BLOCK))
"""How the ids of a block end: to put one together is cheaper than to write its number."""

_FULL = ((Box(0, lambda _: None), ()),)
"""What stands for all boxes where a feed is full."""


class Holder(Protocol):
    """Who is granted something; ``granted`` is replaced by another object whenever that changes."""

    @property
    def granted(self) -> object: ...


class Access(Protocol):
    """Decides whether an owner may send. While ``holder.granted`` is ``passed``, nothing has to be asked."""

    @property
    def holder(self) -> Holder: ...
    @property
    def passed(self) -> object: ...

    def admit_message(self) -> None:
        """Raise what says why it may not send, if so."""


class Send(Protocol):
    """Publishes a message and returns it, without waiting for any handler."""

    def __call__(
        self,
        type: str,
        payload: Any = None,
        *,
        target: str | None = None,
        meta: Mapping[str, Any] | None = None,
        wait: float | None = None,
    ) -> Message: ...


class PlainWay:
    """Makes the ``send`` of each source.

    *trail_of* tells what led to a message, if it is not too much; *listeners* is empty while nobody must be told.
    """

    def __init__(
        self, order: Order, plans: Plans, trail_of: Callable[[str], Trail], listeners: Mapping[Any, Any]
    ) -> None:
        self._order = order
        self._plans = plans
        self._trail_of = trail_of
        self._listeners = listeners

    def send_of(  # noqa: C901, PLR0915  # one stretch on purpose, as its docstring says
        self, source: str, access: Access, tell: Callable[[Message], object], otherwise: Callable[..., Message]
    ) -> Send:
        """Return what sends in the name of *source*, if *access* lets it.

        What is not so plain after all (a target, a type that is new or that somebody filters, a payload that must be
        looked at, a lane without room) goes to *otherwise*; of all others, *tell* is told if anybody listens. Nearly
        all messages come by here, and each look-up and call would cost more than what it does; so it is one stretch,
        with all that it needs at hand.
        """
        order, plans, trail_of, listeners = self._order, self._plans.kept, self._trail_of, self._listeners
        acquire, release = order.lock.acquire, order.lock.release  # "with" costs as much again as the lock
        record, begin_block, feeds = order.history.record, order.begin_block, order.feeds
        holder, step, clock, way_of, give_up = access.holder, current_step, time.time, self._way_of, self._give_up
        since = until = 0.0
        timestamp = 0

        def send(  # noqa: C901, PLR0912, PLR0915  # as above
            type: str,
            payload: Any = None,
            *,
            target: str | None = None,
            meta: Mapping[str, Any] | None = None,
            wait: float | None = None,
        ) -> Message:
            nonlocal since, until, timestamp
            if holder.granted is not access.passed:
                access.admit_message()
            if target is not None or meta is not None:
                return otherwise(type, payload, source=source, target=target, meta=meta, wait=wait)
            try:
                accepts, stops = plans[type].ways[source]
            except (KeyError, TypeError):  # unknown so far, or nothing that a type can be
                accepts, stops = way_of(type, source)
            if not accepts(payload):
                return otherwise(type, payload, source=source, wait=wait)
            trail = step()
            if trail is not NO_TRAIL:
                trail = trail_of(type)
            message = woken = None
            acquire()
            try:
                if feeds and not _have_room(feeds, source):
                    stops = _FULL
                for box, _ in stops:
                    if len(box) >= box.share:
                        break
                else:
                    now = clock()
                    if not since <= now < until:  # messages of one millisecond share its number
                        timestamp = int(now * 1_000)
                        since, until = timestamp / 1_000, (timestamp + 1) / 1_000
                    order.seq = seq = order.seq + 1
                    place = seq % BLOCK
                    if not place:
                        begin_block()
                    message = Message(
                        id=order.stem + _ENDS[place],
                        type=type,
                        source=source,
                        payload=payload,
                        timestamp=timestamp,
                        seq=seq,
                        cause=trail.cause,
                    )
                    record(message)
                    for box, calls in stops:
                        box.append(Delivery(message, calls, trail))
                        if not box.listed:
                            box.take_up(box)
                    if feeds:
                        woken = [feed for feed in feeds if feed.offer(message)]
            finally:
                release()
            if message is None:
                give_up(type, source)
                return otherwise(type, payload, source=source, wait=wait)
            if woken:
                for feed in woken:
                    feed.wake()
            if listeners:
                tell(message)
            return message

        return send

    def _way_of(self, type: str, source: str) -> Way:
        """Return the way of messages of *source*, which was not known."""
        plan = self._plans.of(type)
        with self._order.lock:
            return plan.way_of(source)

    def _give_up(self, type: str, source: str) -> None:
        """Find the way anew next time: a box that has no room may have been taken out of its lane."""
        plan = self._plans.kept.get(type)
        if plan is not None:
            plan.ways.pop(source, None)


def _have_room(feeds: list[Feed], source: str) -> bool:
    return all(feed.has_room(source) for feed in feeds)
