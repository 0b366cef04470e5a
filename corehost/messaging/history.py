"""The newest messages, kept so that none of their sources can push out the others'."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from operator import attrgetter

from corehost.contract.message import Message
from corehost.messaging.forgotten import Forgotten

SIZE = 10_000
SHARE = 1_000
CEILING = 50_000

BLOCK = 1_000
"""Messages that are counted, and others forgotten for them, in one go; readers see none of the surplus."""

_Block = tuple[list[Message], Counter[str]]
"""Messages in order of ``seq``, and how many of them are by each source."""

_seq_of = attrgetter("seq")


class History:
    """Keeps *size* messages, and of each source its newest *share* even if they are older than that.

    With many sources that can be more than *size*, but never more than *ceiling*: a crowd of users must not fill the
    memory. It is not locked: whoever orders the messages calls it under its lock.
    """

    def __init__(self, *, size: int = SIZE, share: int = SHARE, ceiling: int = CEILING) -> None:
        self._size = size
        self._share = share
        self._ceiling = max(ceiling, size)
        self.forgotten = Forgotten()
        self._fresh: list[Message] = []  # not yet counted
        self._recent: deque[_Block] = deque()
        self._recent_count = 0
        self._kept: dict[str, deque[Message]] = {}  # older than all of the recent
        self._kept_count = 0
        self._counts: Counter[str] = Counter()  # the kept and the recent by source
        self.record: Callable[[Message], None] = self._fresh.append
        """Adds the newest message. Whoever adds calls ``settle`` after each ``BLOCK`` messages."""

    def clear(self, seq: int) -> None:
        """Forget everything up to message *seq*."""
        self.forgotten.everything(seq)
        self._fresh.clear()
        self._recent.clear()
        self._kept.clear()
        self._counts.clear()
        self._recent_count = self._kept_count = 0

    def messages(self) -> list[Message]:
        """Return what is kept, in order of ``seq``."""
        self.settle()
        while self._recent and self._surplus() > 0:
            self._split_oldest(self._surplus())
            self._drop_oldest()
        kept = [message for messages in self._kept.values() for message in messages]
        kept.sort(key=_seq_of)
        for messages, _ in self._recent:
            kept.extend(messages)
        return kept

    def settle(self) -> None:
        """Count what is new, and forget whole blocks that are too much."""
        if self._fresh:
            block = _counted(self._fresh.copy())
            self._fresh.clear()
            self._recent.append(block)
            self._recent_count += len(block[0])
            self._counts.update(block[1])
            self._trim_kept()
        while self._recent and self._surplus() >= len(self._recent[0][0]):
            self._drop_oldest()
        if self._kept_count + self._recent_count > self._ceiling:
            self._cut()

    def _surplus(self) -> int:
        return self._recent_count + self._kept_count - self._size

    def _split_oldest(self, number: int) -> None:
        """Make a block of its own of the oldest *number* messages, if the oldest block has more."""
        messages, counts = self._recent[0]
        if number < len(messages):
            oldest = _counted(messages[:number])
            self._recent[0] = (messages[number:], counts - oldest[1])
            self._recent.appendleft(oldest)

    def _drop_oldest(self) -> None:
        """Forget the oldest block, but for messages of sources that do not have their share without it."""
        messages, taken = self._recent.popleft()
        counts = self._counts
        short = {source for source, count in taken.items() if counts[source] - count < self._share}
        gone = messages
        if short:
            gone = [message for message in messages if message.source not in short]
            for message in messages:
                if message.source in short:
                    self._kept.setdefault(message.source, deque()).append(message)
        self._recent_count -= len(messages)
        self._kept_count += len(messages) - len(gone)
        self.forgotten.several({message.type: message.seq for message in gone})
        for source, count in taken.items():
            if source not in short:
                counts[source] -= count
        self._trim_kept()

    def _trim_kept(self) -> None:
        """Forget what is kept of sources that have their share without it."""
        for source in [source for source in self._kept if self._counts[source] > self._share]:
            kept = self._kept[source]
            while kept and self._counts[source] > self._share and self._surplus() > 0:
                self._kept_count -= 1
                self._forget(kept.popleft())
            if not kept:
                del self._kept[source]

    def _forget(self, message: Message) -> None:
        self.forgotten.several({message.type: message.seq})
        self._counts[message.source] -= 1
        if not self._counts[message.source]:
            del self._counts[message.source]

    def _cut(self) -> None:
        """Forget the oldest that are kept, whoever sent them."""
        kept = sorted((message for messages in self._kept.values() for message in messages), key=_seq_of)
        surplus = min(self._kept_count + self._recent_count - self._ceiling + BLOCK, len(kept))
        for message in kept[:surplus]:
            self._forget(message)
        self._kept = {}
        for message in kept[surplus:]:
            self._kept.setdefault(message.source, deque()).append(message)
        self._kept_count = len(kept) - surplus


def _counted(messages: list[Message]) -> _Block:
    return messages, Counter([message.source for message in messages])
