"""What should come of each message, counted in the plainest way."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from corehost.contract.message import Message
from corehost.messaging.dead import DeadLetter

Key = tuple[str, int]
"""An owner, and the ``seq`` of a message."""


@dataclass(eq=False, kw_only=True)
class Ear:
    """One subscription: the messages that are due to it, and those that it heard."""

    owner: str
    pattern: str
    sources: frozenset[str] | None
    only_even: bool
    due: list[int] = field(default_factory=list)
    heard: list[Message] = field(default_factory=list)

    def wants(self, message: Message) -> bool:
        """Tell whether the message is for it."""
        is_even = isinstance(message.payload, int) and message.payload % 2 == 0
        return (
            fnmatchcase(message.type, self.pattern)
            and message.target in (None, self.owner)
            and (self.sources is None or message.source in self.sources)
            and (is_even or not self.only_even)
        )


class FeedModel:
    """What a feed holds: every message since it was opened, or ``lost`` because its source had too many in it."""

    def __init__(self, share: int) -> None:
        self._share = share
        self.entries: deque[tuple[int, str, bool]] = deque()  # seq, source, is it lost?
        self.wakes = 0

    def offer(self, message: Message) -> None:
        self.wakes += not self.entries
        is_lost = self.count(message.source) >= self._share
        self.entries.append((message.seq, message.source, is_lost))

    def count(self, source: str) -> int:
        return sum(1 for _, its, is_lost in self.entries if its == source and not is_lost)

    def is_full_for(self, source: str) -> bool:
        return self.count(source) >= self._share


class Ledger:
    """Says for every message and every owner: heard once by all who subscribed, or a dead letter once.

    A lane that is *blocked* takes exactly ``share`` of each source, so what comes of a message is known at once. In
    one that works it depends on how fast that is, but the two must add up. ``account`` is called when all is at rest.
    """

    def __init__(self, share: int) -> None:
        self._share = share
        self.ears: list[Ear] = []  # those that are live
        self._all: list[Ear] = []
        self.blocked: set[str] = set()
        self.seq = 0
        self.letters: dict[Key, str] = {}
        self._waiting: dict[str, list[tuple[Message, list[Ear]]]] = {}
        self._doomed: dict[Key, str] = {}
        self._addressed: set[Key] = set()
        self.feed: FeedModel | None = None

    # --- what is done ---

    def listen(self, ear: Ear) -> None:
        self.ears.append(ear)
        self._all.append(ear)

    def unlisten(self, ear: Ear) -> None:
        """It hears nothing any more, not even what waits."""
        self.ears.remove(ear)
        for _, ears in self._waiting.get(ear.owner, []):
            if ear in ears:
                ears.remove(ear)

    def block(self, owner: str) -> None:
        self.blocked.add(owner)
        self._waiting[owner] = []

    def unblock(self, owner: str) -> None:
        """What waited is heard."""
        self.blocked.remove(owner)
        for message, ears in self._waiting.pop(owner):
            for ear in ears:
                ear.due.append(message.seq)

    def leave(self, owner: str) -> list[Ear]:
        """The owner is disabled: what waited is lost. Return the ears that it had."""
        self.blocked.discard(owner)
        self._doomed |= {(owner, message.seq): "gone" for message, _ in self._waiting.pop(owner, [])}
        gone = [ear for ear in self.ears if ear.owner == owner]
        self.ears = [ear for ear in self.ears if ear.owner != owner]
        return gone

    def has_room(self, message_type: str, source: str, payload: int) -> bool:
        """Tell whether nobody who cannot get on is full of what *source* sent."""
        draft = Message(id="", type=message_type, source=source, payload=payload, timestamp=0, seq=0)
        owners = {ear.owner for ear in self.ears if ear.wants(draft)} & self.blocked
        lanes_have = all(self._count(owner, source) < self._share for owner in owners)
        return lanes_have and not (self.feed is not None and self.feed.is_full_for(source))

    def heard(self) -> int:
        """Return how often messages were heard."""
        return sum(len(ear.heard) for ear in self._all)

    # --- what came of it ---

    def account(self, published: Iterable[Message], letters: Iterable[DeadLetter], amid: Iterable[Ear] = ()) -> None:
        """Take in what was published and lost; *amid* are ears that came or went while it was."""
        subjects = list(amid)
        window = sorted(published, key=lambda message: message.seq)
        for message in window:
            self._publish(message, subjects)
        for letter in letters:
            assert letter.message is not None
            key = (letter.owner, letter.message.seq)
            assert key not in self.letters, f"{key} was counted as lost twice"
            self.letters[key] = letter.reason
        for ear in subjects:
            self._settle_subject(ear, window)

    def check(self) -> None:
        """Fail if a message was lost in silence, doubled, or out of order."""
        for ear in self._all:
            seqs = [message.seq for message in ear.heard]
            due = [seq for seq in ear.due if (ear.owner, seq) not in self.letters]
            assert sorted(seqs) == due, f"{ear.owner} {ear.pattern}: heard {seqs}, due {due}"
            for source in {message.source for message in ear.heard}:
                of_source = [message.seq for message in ear.heard if message.source == source]
                assert of_source == sorted(of_source), f"{ear.owner} heard {source} out of order: {of_source}"
        assert self.letters.keys() <= self._addressed, "lost by somebody who was not to have it"
        waiting = {(owner, m.seq) for owner, messages in self._waiting.items() for m, _ in messages}
        assert not waiting & self.letters.keys(), "lost though there was room"
        for key, reason in self._doomed.items():
            assert self.letters.get(key) == reason, f"{key} should be lost as {reason}: {self.letters.get(key)}"

    def _publish(self, message: Message, subjects: list[Ear]) -> None:
        assert message.seq == self.seq + 1, f"message {self.seq + 1} was never told of"
        self.seq = message.seq
        if self.feed is not None:
            self.feed.offer(message)
        by_owner: dict[str, list[Ear]] = {}
        for ear in self.ears:
            if ear not in subjects and ear.wants(message):
                by_owner.setdefault(ear.owner, []).append(ear)
        self._addressed |= {(ear.owner, message.seq) for ear in subjects if ear.wants(message)}
        for owner, ears in by_owner.items():
            self._hand_over(owner, message, ears)

    def _hand_over(self, owner: str, message: Message, ears: list[Ear]) -> None:
        self._addressed.add((owner, message.seq))
        if owner not in self.blocked:
            for ear in ears:
                ear.due.append(message.seq)
        elif self._count(owner, message.source) < self._share:
            self._waiting[owner].append((message, ears))
        else:
            self._doomed[owner, message.seq] = "overflow"

    def _count(self, owner: str, source: str) -> int:
        return sum(1 for message, _ in self._waiting[owner] if message.source == source)

    def _settle_subject(self, ear: Ear, window: list[Message]) -> None:
        """Of each source, one that comes hears from some message on, and one that goes up to some message."""
        heard = {message.seq for message in ear.heard}
        comes = ear in self.ears
        for source in {message.source for message in window}:
            of_source = [m.seq for m in window if m.source == source and ear.wants(m)]
            fates = [seq in heard for seq in of_source if (ear.owner, seq) not in self.letters]
            assert fates == sorted(fates, reverse=not comes), f"{ear.owner} {ear.pattern}: a hole in {of_source}"
        ear.due += [m.seq for m in window if ear.wants(m) and (m.seq in heard or (ear.owner, m.seq) in self.letters)]
