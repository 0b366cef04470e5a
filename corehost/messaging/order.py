"""Give messages their order, and put each where it is heard."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from msgspec.structs import force_setattr

from corehost.contract.errors import OverloadedError
from corehost.contract.message import Message
from corehost.messaging.cursors import Cursors
from corehost.messaging.dead import DeadLetters, Reason
from corehost.messaging.feed import Feed
from corehost.messaging.history import History
from corehost.messaging.lane import Lane
from corehost.messaging.plan import Route
from corehost.messaging.subscription import Delivery
from corehost.messaging.trail import Trail
from corehost.messaging.waiter import Waiter

LOOK = 1_023
"""Every 1,024th message it is looked whether the history must be trimmed (a mask)."""

_Lost = list[tuple[Lane, Reason]]
_News = tuple[_Lost | None, list[Waiter] | None, list[Feed] | None]
"""What is to be told with the lock released: who lost the message, who waited for it, which feeds must wake."""


class Order:
    """The one place where messages become a sequence.

    One lock is held while a message gets its ``seq``, is recorded and is put into lanes and feeds, so all of these
    have the same order. No code of a plugin runs under it.
    """

    def __init__(self, history: History, letters: DeadLetters, *, feed_share: int) -> None:
        self.lock = threading.Lock()
        self.cursors = Cursors()
        self.seq = 0
        self._history = history
        self._letters = letters
        self._feed_share = feed_share
        self._feeds: tuple[Feed, ...] = ()

    def publish(self, draft: Message, routes: Sequence[Route], waiters: Sequence[Waiter], trail: Trail) -> None:
        """Stamp *draft*, record it and hand it over; what a lane has no room for becomes a dead letter."""
        with self.lock:
            lost, takers, feeds = self._enter(draft, routes, waiters, trail)
        if lost or takers or feeds:
            self._tell(draft, lost, takers, feeds)

    def publish_with_room(
        self, draft: Message, routes: Sequence[Route], waiters: Sequence[Waiter], trail: Trail, wait: float
    ) -> None:
        """Do the same once every lane has room; raises ``OverloadedError`` after *wait* seconds without."""
        until = time.monotonic() + wait
        while (news := self._enter_or_wait(draft, routes, waiters, trail, until)) is None:
            pass
        self._tell(draft, *news)

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

    def _enter_or_wait(
        self, draft: Message, routes: Sequence[Route], waiters: Sequence[Waiter], trail: Trail, until: float
    ) -> _News | None:
        """Enter *draft* if every lane has room, or wait until one has and return ``None``."""
        source = draft.source
        with self.lock:
            full = next((lane for lane, _ in routes if not lane.has_room(source)), None)
            if full is None:
                return self._enter(draft, routes, waiters, trail)
            room = full.await_room(source)
        room.wait(until - time.monotonic())
        full.leave_room(source, room)
        if time.monotonic() >= until and not full.has_room(source):
            raise OverloadedError(f"{full.owner!r} has no room for more of {source!r}. Send less, or later.")
        return None

    def _enter(self, draft: Message, routes: Sequence[Route], waiters: Sequence[Waiter], trail: Trail) -> _News:
        self.seq = seq = self.seq + 1
        force_setattr(draft, "seq", seq)  # frozen, but nobody has it yet; a second Message would cost thrice as much
        self._history.record(draft)
        if not seq & LOOK and self._history.is_due():
            self._history.trim()
        lost: _Lost | None = None
        for lane, subscriptions in routes:
            reason = lane.put(draft.source, Delivery(draft, subscriptions, trail))
            if reason is not None:
                lost = [*(lost or ()), (lane, reason)]
        takers = [waiter for waiter in waiters if waiter.takes(draft)] if waiters else None
        feeds = [feed for feed in self._feeds if feed.offer(draft)] if self._feeds else None
        return lost, takers, feeds

    def _tell(
        self, message: Message, lost: _Lost | None, takers: list[Waiter] | None, feeds: list[Feed] | None
    ) -> None:
        """Tell, with the lock released, everyone who must know at once."""
        for feed in feeds or ():
            feed.wake()
        for waiter in takers or ():
            waiter.give(message)
        for lane, reason in lost or ():
            self._letters.add(lane.owner, reason, message)
        if lost:
            self._letters.flush()
