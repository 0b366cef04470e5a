"""Read the history from a place in it."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter

from corehost.contract.errors import InvalidError, MalformedError
from corehost.contract.message import Message
from corehost.messaging.cursors import Cursors, Gap
from corehost.messaging.history import History
from corehost.messaging.patterns import pattern as pattern_of

_Matches = Callable[[str], bool]
_seq_of = attrgetter("seq")


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Messages from the history, oldest first, with the cursor from which to go on.

    ``gap`` lies before the first of them: something that would have been among them is forgotten.
    """

    messages: list[Message]
    cursor: str
    gap: Gap | None = None


class Reader:
    """Reads the history; *lock* is the one under which it is written, *newest* the ``seq`` of the newest message."""

    def __init__(self, history: History, cursors: Cursors, lock: threading.RLock, newest: Callable[[], int]) -> None:
        self._history = history
        self._cursors = cursors
        self._lock = lock
        self._newest = newest

    def latest(self, pattern: str | None, limit: int, is_for: Callable[[Message], bool] | None = None) -> list[Message]:
        """Return the newest *limit* messages whose type matches and that are for whoever asks, oldest first."""
        _check_limit(limit)
        matches = None if pattern is None else pattern_of(pattern).matches
        with self._lock:
            messages = self._history.messages()
        return _newest(messages, limit, matches, is_for)

    def replay(self, pattern: str | None, since: str | None, limit: int, upto: int | None = None) -> Replay:
        """Return the oldest *limit* messages after cursor *since*, or the newest without it; none after *upto*."""
        _check_limit(limit)
        matches = None if pattern is None else pattern_of(pattern).matches
        with self._lock:
            messages, newest = self._history.messages(), self._newest()
            forgotten = self._history.forgotten.upto(matches)
        end = newest if upto is None else min(upto, newest)
        begin, gap = (0, None) if since is None else self._begin(since, newest, min(forgotten, end))
        span = messages[bisect_right(messages, begin, key=_seq_of) : bisect_right(messages, end, key=_seq_of)]
        if since is None:
            return Replay(messages=_newest(span, limit, matches), cursor=self._cursors.of(end))
        wanted = (message for message in span if matches is None or matches(message.type))
        found = list(islice(wanted, limit))
        is_cut = next(wanted, None) is not None
        reached = (found[-1].seq if found else begin) if is_cut else max(begin, end)
        return Replay(messages=found, cursor=self._cursors.of(reached), gap=gap)

    def _begin(self, since: str, newest: int, forgotten: int) -> tuple[int, Gap | None]:
        """Return the ``seq`` after which to read, and the gap if something after it is forgotten."""
        seq = self._cursors.seq_of(since)
        if seq is None:
            return 0, Gap(start=since, end=self._cursors.of(forgotten))
        if seq > newest:
            raise MalformedError(f"The cursor {since!r} lies ahead of every message. Use one that the host gave you.")
        if forgotten <= seq:
            return seq, None
        return seq, Gap(start=since, end=self._cursors.of(forgotten))


def _newest(
    messages: list[Message], limit: int, matches: _Matches | None, is_for: Callable[[Message], bool] | None = None
) -> list[Message]:
    wanted = (
        message
        for message in reversed(messages)
        if (matches is None or matches(message.type)) and (is_for is None or is_for(message))
    )
    return list(islice(wanted, limit))[::-1]


def _check_limit(limit: object) -> None:
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
        raise InvalidError(f"The limit {limit!r} is no number of messages. Give 0 or more.")
