"""Give messages their order, and put each where it is heard."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import time_ns
from typing import Any

from msgspec.structs import force_setattr

from corehost.contract.errors import OverloadedError
from corehost.contract.message import Message
from corehost.messaging.cursors import Cursors
from corehost.messaging.dead import DeadLetters, Reason
from corehost.messaging.feed import Feed
from corehost.messaging.history import BLOCK, History
from corehost.messaging.lane import Lane
from corehost.messaging.plan import Plan, Route
from corehost.messaging.subscription import Delivery
from corehost.messaging.trail import NO_TRAIL, Trail, current_step
from corehost.messaging.waiter import Waiter

LOOK = 0.01
"""Seconds after which one who waits for room looks whether there is a little."""


class _FullError(Exception):
    """A lane or a feed has no room; ``room`` is set when that may have changed."""

    def __init__(self, taker: Lane | Feed, room: threading.Event) -> None:
        super().__init__()
        self.taker = taker
        self.room = room


class Order:
    """The one place where messages become a sequence.

    One lock is held while a message gets its ``seq``, is recorded and is put into lanes and feeds, so all of these
    have the same order. No code of a plugin runs under it.
    """

    def __init__(self, history: History, letters: DeadLetters, *, feed_share: int) -> None:
        # Reentrant, as all locks here that are held while objects come and go: that may call a plugin's finalizer in
        # this very thread, and one that sends must not stop the bus for ever.
        self.lock = threading.RLock()
        self.cursors = Cursors()
        self.seq = 0
        self._prefix = f"{secrets.token_hex(6)}."  # with the ``seq`` an id, of those that get one only here
        self._acquire, self._release = self.lock.acquire, self.lock.release
        self._history = history
        self._record = history.record
        self._letters = letters
        self._feed_share = feed_share
        self._feeds: tuple[Feed, ...] = ()

    def plain_way(  # noqa: C901  # one stretch on purpose, as its docstring says
        self, source: str, plans: Mapping[str, Plan], trail_of: Callable[[str], Trail]
    ) -> Callable[[str, Any], Message | None]:
        """Return what publishes a message of *source* that has nothing special: a type and a payload.

        It returns ``None`` for a message that is not so plain after all (a type without a plan, a payload that must be
        looked at, a lane without room), to be sent by ``publish``. Nearly all messages come by here, and each look-up
        and call would cost more than what it does; so it is one stretch, with all that it needs at hand.
        """
        lock, record, settle, prefix = self.lock, self._history.record, self._history.settle, self._prefix
        acquire, release = lock.acquire, lock.release  # "with" costs as much again as the lock

        def publish_plain(type: str, payload: Any) -> Message | None:  # noqa: C901  # as above
            try:
                plan = plans[type]
            except (KeyError, TypeError):  # unknown so far, or nothing that a type can be
                return None
            if not plan.is_simple or not plan.accepts(payload):
                return None
            trail = NO_TRAIL if current_step() is NO_TRAIL else trail_of(type)
            timestamp = time_ns() // 1_000_000
            routes = plan.routes
            acquire()
            try:
                for lane, _ in routes:
                    box = lane.boxes.get(source)
                    if box is None or len(box) >= lane.share:
                        return None
                for feed in self._feeds:
                    if not feed.has_room(source):
                        return None
                self.seq = seq = self.seq + 1
                message = Message(
                    id=f"{prefix}{seq}",
                    type=type,
                    source=source,
                    payload=payload,
                    timestamp=timestamp,
                    seq=seq,
                    cause=trail.cause,
                )
                record(message)
                if not seq % BLOCK:
                    settle()
                for lane, subscriptions in routes:
                    box = lane.boxes[source]
                    box.append(Delivery(message, subscriptions, trail))
                    if not box.listed:
                        lane.take_up(box)
                feeds = self._feeds and [feed for feed in self._feeds if feed.offer(message)]
            finally:
                release()
            for feed in feeds:
                feed.wake()
            return message

        return publish_plain

    def publish(
        self,
        draft: Message,
        routes: Sequence[Route],
        waiters: Sequence[Waiter],
        trail: Trail,
        *,
        must_fit: bool = False,
    ) -> None:
        """Stamp *draft*, record it and hand it over; what a lane has no room for becomes a dead letter.

        If it *must_fit*, nothing happens but that ``_FullError`` is raised if one has no room.
        """
        lost = takers = feeds = None
        self._acquire()
        try:
            if must_fit:
                _check_room((*(lane for lane, _ in routes), *self._feeds), draft.source)
            self.seq = seq = self.seq + 1
            force_setattr(draft, "seq", seq)  # frozen, but nobody has it yet; a second one would cost thrice as much
            self._record(draft)
            if not seq % BLOCK:
                self._history.settle()
            for lane, subscriptions in routes:
                reason = lane.put(draft.source, Delivery(draft, subscriptions, trail))
                if reason is not None:
                    lost = [*(lost or ()), (lane, reason)]
            if waiters:
                takers = [waiter for waiter in waiters if waiter.takes(draft)]
            if self._feeds:
                feeds = [feed for feed in self._feeds if feed.offer(draft)]
        finally:
            self._release()
        if lost or takers or feeds:
            self._tell(draft, lost or (), takers or (), feeds or ())

    def publish_with_room(
        self, draft: Message, routes: Sequence[Route], waiters: Sequence[Waiter], trail: Trail, wait: float
    ) -> None:
        """Do the same once all have room; raises ``OverloadedError`` after *wait* seconds without."""
        until = time.monotonic() + wait
        source = draft.source
        while True:
            try:
                return self.publish(draft, routes, waiters, trail, must_fit=True)
            except _FullError as full:
                taker, room = full.taker, full.room
            room.wait(min(until - time.monotonic(), LOOK))  # told late: a lane that is slow tells of much room at once
            taker.leave_room(source, room)
            with self.lock:
                has_room = taker.has_room(source)
            if time.monotonic() >= until and not has_room:
                raise OverloadedError(f"{taker.owner!r} has no room for more of {source!r}. Send less, or later.")

    def clear(self) -> None:
        """Forget all messages so far."""
        with self.lock:
            self._history.clear(self.seq)

    def open_feed(self, wake: Callable[[], None]) -> Feed:
        """Return a feed of all messages from now on; *wake* is called when there are some after there were none."""
        feed = Feed(wake, self._close_feed, self.lock, self.cursors, self._feed_share)
        with self.lock:
            self._feeds = (*self._feeds, feed)
        return feed

    def _close_feed(self, feed: Feed) -> None:
        with self.lock:
            self._feeds = tuple(one for one in self._feeds if one is not feed)

    def _tell(
        self,
        message: Message,
        lost: Iterable[tuple[Lane, Reason]],
        takers: Iterable[Waiter],
        feeds: Iterable[Feed],
    ) -> None:
        """Tell, with the lock released, who waited for the message, which feeds have one, and who lost it."""
        for feed in feeds:
            feed.wake()
        for waiter in takers:
            waiter.give(message)
        for lane, reason in lost:
            self._letters.add(lane.owner, reason, message)
        if lost:
            self._letters.flush()


def _check_room(takers: Iterable[Lane | Feed], source: str) -> None:
    for taker in takers:
        if not taker.has_room(source):
            raise _FullError(taker, taker.await_room(source))
