"""Give messages their order, and put each where it is heard."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import force_setattr

from corehost.contract.errors import OverloadedError
from corehost.contract.message import Message
from corehost.messaging.cursors import Cursors
from corehost.messaging.dead import DeadLetters, Reason
from corehost.messaging.feed import Feed
from corehost.messaging.history import BLOCK, History
from corehost.messaging.lane import Lane
from corehost.messaging.plan import Route
from corehost.messaging.subscription import Delivery
from corehost.messaging.trail import Trail
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
        self._prefix = f"{secrets.token_hex(6)}."
        self.stem = f"{self._prefix}0"
        """With the last three digits of the ``seq``, the id of a message that gets one only here."""
        self._acquire, self._release = self.lock.acquire, self.lock.release
        self.history = history
        self._letters = letters
        self._feed_share = feed_share
        self.feeds: list[Feed] = []

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
                _check_room((*(lane for lane, _ in routes), *self.feeds), draft.source)
            self.seq = seq = self.seq + 1
            force_setattr(draft, "seq", seq)  # frozen, but nobody has it yet; a second one would cost thrice as much
            if not seq % BLOCK:
                self.begin_block()
            self.history.record(draft)
            for lane, subscriptions in routes:
                reason = lane.put(draft.source, Delivery(draft, subscriptions, trail))
                if reason is not None:
                    lost = [*(lost or ()), (lane, reason)]
            if waiters:
                takers = [waiter for waiter in waiters if waiter.takes(draft)]
            if self.feeds:
                feeds = [feed for feed in self.feeds if feed.offer(draft)]
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

    def begin_block(self) -> None:
        """Do what is due every ``BLOCK`` messages. Call it with the lock held."""
        self.stem = f"{self._prefix}{self.seq // BLOCK}"
        self.history.settle()

    def clear(self) -> None:
        """Forget all messages so far."""
        with self.lock:
            self.history.clear(self.seq)

    def open_feed(self, wake: Callable[[], None]) -> Feed:
        """Return a feed of all messages from now on; *wake* is called when there are some after there were none."""
        feed = Feed(wake, self._close_feed, self.lock, self.cursors, self._feed_share)
        with self.lock:
            self.feeds.append(feed)
        return feed

    def _close_feed(self, feed: Feed) -> None:
        with self.lock:
            self.feeds[:] = [one for one in self.feeds if one is not feed]

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
