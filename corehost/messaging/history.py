"""The newest messages, kept so that none of their sources can push out the others'."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from itertools import islice
from operator import attrgetter

from corehost.contract.message import Message

SIZE = 10_000
SHARE = 1_000
CEILING = 50_000

SLACK = 1_024
"""Messages after which it is looked whether some must go; readers look first."""

TYPES = 10_000
"""Types of which is known how far they were forgotten; beyond that, only how far any was."""

_source_of = attrgetter("source")
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
        self._recent: deque[Message] = deque()
        self._kept: dict[str, deque[Message]] = {}  # older than all of the recent
        self._kept_count = 0
        self._counts: Counter[str] = Counter()
        self._counted = 0  # how many of the recent are in the counts
        self.record: Callable[[Message], None] = self._recent.append
        """Adds the newest message. Whoever adds much looks now and then whether trimming ``is_due``."""

    def clear(self, seq: int) -> None:
        """Forget everything up to message *seq*."""
        self.forgotten.everything(seq)
        self._recent.clear()
        self._kept.clear()
        self._counts.clear()
        self._kept_count = self._counted = 0

    def is_due(self) -> bool:
        """Tell whether it is time to trim."""
        return len(self._recent) + self._kept_count > self._size + SLACK

    def messages(self) -> list[Message]:
        """Return what is kept, in order of ``seq``."""
        self.trim()
        if not self._kept_count:
            return list(self._recent)
        kept = [message for messages in self._kept.values() for message in messages]
        return [*sorted(kept, key=_seq_of), *self._recent]

    def trim(self) -> None:
        """Forget the oldest messages of those sources that have more than their share, down to the size."""
        self._counts.update(map(_source_of, islice(self._recent, self._counted, None)))
        for source in [source for source in self._kept if self._counts[source] > self._share]:
            self._trim_kept(source)
        recent, counts = self._recent, self._counts
        while recent and len(recent) + self._kept_count > self._size:
            message = recent.popleft()
            if counts[message.source] > self._share:
                self._forget(message)
            else:
                self._kept.setdefault(message.source, deque()).append(message)
                self._kept_count += 1
        self._counted = len(recent)
        if self._kept_count + len(recent) > self._ceiling:
            self._cut()

    def _trim_kept(self, source: str) -> None:
        kept = self._kept[source]
        while kept and self._counts[source] > self._share and len(self._recent) + self._kept_count > self._size:
            self._kept_count -= 1
            self._forget(kept.popleft())
        if not kept:
            del self._kept[source]

    def _forget(self, message: Message) -> None:
        self.forgotten.one(message)
        self._counts[message.source] -= 1
        if not self._counts[message.source]:
            del self._counts[message.source]

    def _cut(self) -> None:
        """Forget the oldest of all messages, whoever sent them."""
        kept = sorted((message for messages in self._kept.values() for message in messages), key=_seq_of)
        surplus = self._kept_count + len(self._recent) - self._ceiling + SLACK
        for message in kept[:surplus]:
            self._forget(message)
        self._kept = {}
        for message in kept[surplus:]:
            self._kept.setdefault(message.source, deque()).append(message)
        self._kept_count = len(kept[surplus:])


class Forgotten:
    """How far messages were forgotten, by type, so that nobody is told of a gap in what they do not follow."""

    def __init__(self) -> None:
        self._by_type: dict[str, int] = {}
        self._all = 0

    def one(self, message: Message) -> None:
        """Take note that *message* is gone."""
        known = self._by_type.get(message.type, 0)
        self._by_type[message.type] = max(known, message.seq)
        if len(self._by_type) > TYPES:
            self.everything(max(self._by_type.values()))

    def everything(self, seq: int) -> None:
        """Take note that everything up to *seq* is gone."""
        self._by_type.clear()
        self._all = max(self._all, seq)

    def upto(self, matches: Callable[[str], bool] | None) -> int:
        """Return the highest ``seq`` that was forgotten of the types that *matches*; ``0`` if none was."""
        seqs = (seq for type, seq in self._by_type.items() if matches is None or matches(type))
        return max(self._all, max(seqs, default=0))
