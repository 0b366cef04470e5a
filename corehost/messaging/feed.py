"""All messages for one reader who takes them when it can."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable

from corehost.contract.message import Message
from corehost.messaging.cursors import Cursors, Gap

SHARE = 8_192


class Feed:
    """Collects all messages in order of ``seq``, of each source at most *share* that were not yet taken.

    What is over it is lost and leaves a ``Gap`` in its place; a source that floods loses only its own, and nothing if
    it waits for room as it would for that of a lane. *lock* is the one under which messages get their order.
    """

    owner = "relay"

    def __init__(
        self,
        wake: Callable[[], None],
        closed: Callable[[Feed], None],
        lock: threading.RLock,
        cursors: Cursors,
        share: int,
    ) -> None:
        self.wake = wake
        self._closed = closed
        self._lock = lock
        self._cursors = cursors
        self._share = share
        self._entries: deque[Message | tuple[int, int]] = deque()
        self._counts: Counter[str] | None = None  # by source, kept only while one might be over its share
        self._senders: list[threading.Event] = []  # those that wait for room
        self._is_closed = False

    def offer(self, message: Message) -> bool:
        """Add *message*, with the lock held; return whether there was nothing before it, so that one must wake."""
        if len(self._entries) < self._share and self._counts is None:
            self._entries.append(message)
            return len(self._entries) == 1
        self._offer_crowded(message)
        return False

    def has_room(self, source: str) -> bool:
        """Tell, with the lock held, whether *source* loses nothing by a message now; one that is closed takes all."""
        if len(self._entries) < self._share and self._counts is None:
            return True
        return self._is_closed or self._counted()[source] < self._share

    def await_room(self, source: str) -> threading.Event:  # the source as a lane wants it; all wait for the same reader
        """Return what is set, with the lock held, when there may be room again for *source*."""
        room = threading.Event()
        self._senders.append(room)
        return room

    def leave_room(self, source: str, room: threading.Event) -> None:
        """Wait for room no more."""
        with self._lock:
            if room in self._senders:
                self._senders.remove(room)

    def take(self, limit: int) -> list[Message | Gap]:
        """Return the oldest *limit* entries, without waiting, and forget them."""
        with self._lock:
            entries = [self._entries.popleft() for _ in range(min(limit, len(self._entries)))]
            if self._counts is not None:
                self._counts.subtract(entry.source for entry in entries if isinstance(entry, Message))
                if len(self._entries) < self._share:
                    self._counts = None
            self._wake_senders()
        return [entry if isinstance(entry, Message) else self._gap(*entry) for entry in entries]

    def close(self) -> None:
        """Collect nothing any more."""
        self._closed(self)
        with self._lock:
            self._is_closed = True
            self._entries.clear()
            self._wake_senders()

    def _wake_senders(self) -> None:
        while self._senders:
            self._senders.pop().set()

    def _counted(self) -> Counter[str]:
        if self._counts is None:
            self._counts = Counter(entry.source for entry in self._entries if isinstance(entry, Message))
        return self._counts

    def _offer_crowded(self, message: Message) -> None:
        counts = self._counted()
        if counts[message.source] < self._share:
            counts[message.source] += 1
            self._entries.append(message)
            return
        last = self._entries[-1]
        if isinstance(last, Message):
            self._entries.append((message.seq, message.seq))
        else:
            self._entries[-1] = (last[0], message.seq)

    def _gap(self, first: int, last: int) -> Gap:
        return Gap(start=self._cursors.of(first - 1), end=self._cursors.of(last))
