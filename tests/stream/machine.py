"""A machine that does to a bus what plugins, browsers and operators do, and looks whether anything is missing."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from operator import attrgetter
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from corehost.contract.errors import AbortedError, DisabledError, NoTargetError, OverloadedError
from corehost.contract.message import Awaited, Handler, Message
from corehost.messaging.bus import Bus
from corehost.messaging.calls import Calls
from corehost.messaging.cursors import Gap
from corehost.messaging.feed import Feed
from corehost.messaging.lanes import Lanes
from corehost.messaging.limits import BusLimits
from tests.messaging.witness import PATIENCE, Account, Gate, ignore
from tests.stream.ledger import Ear, FeedModel, Ledger

SHARE = 4  # so that a few messages are too many
FEED_SHARE = 6
OWNERS = ("p", "q", "r")
SOURCES = ("p", "q", "core", "user:ann")
TYPES = ("a:x", "a:y", "b:x", "b:y:z")
PATTERNS = (*TYPES, "a:*", "*:x", "b:*:z", "*", "e:*")

owners, sources, types, patterns = map(st.sampled_from, (OWNERS, SOURCES, TYPES, PATTERNS))
counts = st.integers(1, 3 * SHARE)


class BusMachine(RuleBasedStateMachine):
    """Does to a bus what plugins, browsers and operators do, and keeps a ledger of what should come of it."""

    done: ClassVar[Counter[str]] = Counter()  # by all machines together

    def __init__(self) -> None:
        super().__init__()
        self._lanes, self._calls = Lanes(Account(), share=SHARE), Calls()
        limits = BusLimits(history=20, history_share=5, feed_share=FEED_SHARE)
        self._bus = Bus(lanes=self._lanes, calls=self._calls, faults=Account(), limits=limits)
        # Of dead letters a message tells, by a thread of its own and a clock, so at any time: not here, where each
        # message is accounted for after the step that sent it.
        self._lanes.letters.listen(ignore, ignore)
        self._published: list[Message] = []
        self._listener = lambda _, message: self._published.append(message)
        self._bus.published.connect(self._listener)
        self._ledger = Ledger(SHARE)
        self._joined: dict[str, Callable[[], None]] = {}
        self._undos: dict[Ear, Callable[[], None]] = {}
        self._gates: dict[str, Gate] = {}
        self._waits: list[tuple[Ear, Awaited]] = []
        self._feed: Feed | None = None
        self._wakes = 0
        self._letters_seen = 0
        self._senders = {source: self._sender(source) for source in SOURCES}
        for owner, pattern in zip(OWNERS, ("a:*", "*", "*:x"), strict=True):
            self.enable(owner)
            self._listen(Ear(owner=owner, pattern=pattern, sources=None, only_even=False), echoes=owner == "p")

    # --- plugins ---

    @precondition(lambda self: len(self._joined) < len(OWNERS))
    @rule(owner=owners)
    def enable(self, owner: str) -> None:
        """An operator enables a plugin."""
        if owner not in self._joined:
            self._joined[owner] = self._bus.join(owner)

    @rule(owner=owners, message_type=types, is_stuck=st.booleans())
    def disable(self, owner: str, message_type: str, is_stuck: bool) -> None:
        """An operator disables a plugin; what waits for it is lost, and counted."""
        if owner in self._joined:
            if is_stuck:
                self.block(owner, "core", message_type, 1)
            self._account(amid=self._leave(owner))

    @rule(owner=owners, source=sources, message_type=types, count=counts)
    def block(self, owner: str, source: str, message_type: str, count: int) -> None:
        """A handler does not come back while messages come for it."""
        if owner in self._joined and owner not in self._gates:
            gate = self._gates[owner] = Gate()
            assert self._lanes.submit(owner, gate)
            gate.await_visitor()
            self._ledger.block(owner)
        self.send(source, message_type, count)

    @precondition(lambda self: self._gates)
    @rule(owner=owners)
    def unblock(self, owner: str) -> None:
        """It comes back at last."""
        if owner in self._gates:
            self._ledger.unblock(owner)
            self._gates.pop(owner).open()
            self._account()

    # --- who hears ---

    @rule(
        owner=owners,
        pattern=patterns,
        source=st.none() | st.sets(sources, min_size=1),
        only_even=st.booleans(),
        echoes=st.booleans(),
    )
    def subscribe(self, owner: str, pattern: str, source: set[str] | None, only_even: bool, echoes: bool) -> None:
        """A plugin subscribes, if it is enabled."""
        ear = Ear(
            owner=owner,
            pattern=pattern,
            sources=None if source is None else frozenset(source),
            only_even=only_even,
        )
        if owner in self._joined:
            self._listen(ear, echoes=echoes)
        else:
            with pytest.raises(DisabledError):
                self._listen(ear)

    @rule(owner=owners, message_type=types, is_stuck=st.booleans())
    def unsubscribe(self, owner: str, message_type: str, is_stuck: bool) -> None:
        """A plugin has heard enough, and does not hear what waits for it either."""
        ear = next((ear for ear in self._ledger.ears if ear.owner == owner), None)
        if ear is not None:
            if is_stuck:
                self.block(owner, "core", message_type, 1)
            self._undos.pop(ear)()
            self._ledger.unlisten(ear)

    @rule(owner=owners, pattern=patterns)
    def wait_for_one(self, owner: str, pattern: str) -> None:
        """A plugin waits for the next message."""
        if owner in self._joined:
            ear = Ear(owner=owner, pattern=pattern, sources=None, only_even=False)
            self._waits.append((ear, self._bus.once(pattern, owner=owner)))

    @rule()
    def open_feed(self) -> None:
        """The first browser comes."""
        if self._feed is None:
            self._wakes = 0
            self._feed, self._ledger.feed = self._bus.open_feed(self._woken), FeedModel(FEED_SHARE)

    @rule()
    def close_feed(self) -> None:
        """The last browser goes."""
        if self._feed is not None:
            self._feed.close()
            self._feed = self._ledger.feed = None

    @rule(limit=st.integers(1, 2 * FEED_SHARE))
    def take_from_feed(self, limit: int) -> None:
        """The relay takes what there is: each message in order, or a gap that names it."""
        if self._feed is not None and self._ledger.feed is not None:
            taken = [one for entry in self._feed.take(limit) for one in self._spelled_out(entry)]
            entries = self._ledger.feed.entries
            assert taken == [(seq, is_lost) for seq, _, is_lost in (entries.popleft() for _ in taken)]
            assert len(taken) >= limit or not entries

    # --- who sends ---

    @rule(source=sources, message_type=types, count=counts)
    def send(self, source: str, message_type: str, count: int) -> None:
        """Somebody sends some messages."""
        for number in range(count):
            self._senders[source](message_type, number)
        self._account()

    @rule(orders=st.dictionaries(sources, st.tuples(types, counts), min_size=2))
    def send_at_once(self, orders: dict[str, tuple[str, int]]) -> None:
        """Several send at the same time."""
        self._amid(orders, lambda: None)
        self._account()

    @rule(source=sources, message_type=types, number=st.integers(0, 1))
    def send_when_there_is_room(self, source: str, message_type: str, number: int) -> None:
        """Somebody waits until all have room, and is told if that never comes."""
        if self._ledger.has_room(message_type, source, number):
            self._senders[source](message_type, number, wait=PATIENCE)
        else:
            with pytest.raises(OverloadedError):
                self._senders[source](message_type, number, wait=0.001)
        self._account()

    @rule(source=sources, message_type=types, owner=owners, number=st.integers(0, 1))
    def send_to_one(self, source: str, message_type: str, owner: str, number: int) -> None:
        """Somebody sends to one plugin, which may be disabled."""
        if owner in self._joined:
            self._senders[source](message_type, number, target=owner)
        else:
            with pytest.raises(NoTargetError):
                self._senders[source](message_type, number, target=owner)
        self._account()

    # --- all at the same time ---

    @rule(
        orders=st.dictionaries(sources, st.tuples(types, counts), min_size=1),
        change=st.sampled_from(("subscribe", "unsubscribe", "disable")),
        owner=owners,
        pattern=patterns,
    )
    def change_amid_sending(self, orders: dict[str, tuple[str, int]], change: str, owner: str, pattern: str) -> None:
        """A plugin comes or goes while others send."""
        of_owner = [ear for ear in self._ledger.ears if ear.owner == owner]
        if owner not in self._joined or owner in self._gates or (change == "unsubscribe" and not of_owner):
            return
        if change == "subscribe":
            ears = [Ear(owner=owner, pattern=pattern, sources=None, only_even=False)]
            self._amid(orders, lambda: self._listen(ears[0]))
        elif change == "unsubscribe":
            ears = of_owner[:1]
            self._amid(orders, self._undos.pop(ears[0]))
            self._ledger.unlisten(ears[0])
        else:
            ears = of_owner
            self._amid(orders, lambda: self._leave(owner))
        self._account(amid=ears)

    @invariant()
    def nothing_was_lost_in_silence(self) -> None:
        """Each message was heard once, in order, by each who should have it, or is counted as lost."""
        self._ledger.check()
        assert self._ledger.seq == self._bus.position()
        by_reason = Counter((owner, reason) for (owner, _), reason in self._ledger.letters.items())
        assert by_reason == self._lanes.letters.counts()
        if self._ledger.feed is not None:
            assert self._wakes == self._ledger.feed.wakes

    def teardown(self) -> None:
        """Let everybody get on, and look whether all was heard."""
        for owner in list(self._gates):
            self.unblock(owner)
        self.nothing_was_lost_in_silence()
        self._bus.close()
        self._calls.close()
        self._lanes.close()
        BusMachine.done += Counter(
            messages=self._ledger.seq,
            heard=self._ledger.heard(),
            lost=len(self._ledger.letters),
        )

    # --- the way there ---

    def _sender(self, source: str) -> Callable[..., Message]:
        """Return how *source* sends: a plugin by its own bus, the others by the host's."""
        return self._bus.scoped(source).send if source in OWNERS else partial(self._bus.send, source=source)

    def _listen(self, ear: Ear, *, echoes: bool = False) -> None:
        send = self._bus.scoped(ear.owner).send

        def hear(message: Message) -> None:
            ear.heard.append(message)
            if echoes and message.type in TYPES:
                send("e:cho", message.payload)

        wanted = Handler(handle=hear, filter=_is_even if ear.only_even else None)
        source = None if ear.sources is None else sorted(ear.sources)
        self._undos[ear] = self._bus.subscribe(ear.pattern, wanted, owner=ear.owner, source=source)
        self._ledger.listen(ear)

    def _leave(self, owner: str) -> list[Ear]:
        self._joined.pop(owner)()
        gone = self._ledger.leave(owner)
        for ear in gone:
            del self._undos[ear]
        for ear, wait in [one for one in self._waits if one[0].owner == owner]:
            self._waits.remove((ear, wait))
            with suppress(AbortedError):  # unless a message came first, it is told that none will
                wait.result(PATIENCE)
        if owner in self._gates:
            self._gates.pop(owner).open()
        return gone

    def _amid(self, orders: dict[str, tuple[str, int]], change: Callable[[], Any]) -> None:
        """Let the sources send, each on a thread, and do *change* meanwhile."""
        begin = threading.Barrier(len(orders) + 1)

        def send(source: str, message_type: str, count: int) -> None:
            begin.wait(PATIENCE)
            for number in range(count):
                self._senders[source](message_type, number)

        threads = [threading.Thread(target=send, args=(source, *order)) for source, order in orders.items()]
        for thread in threads:
            thread.start()
        begin.wait(PATIENCE)
        change()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def _account(self, amid: Iterable[Ear] = ()) -> None:
        """Wait until all who can have come to rest, and enter what happened into the ledger."""
        self._rest()
        published, self._published = self._published, []
        count = len(self._lanes.letters)
        fresh, self._letters_seen = count - self._letters_seen, count
        letters = self._lanes.letters.newest()[-fresh:] if fresh else []
        assert len(letters) == fresh
        self._ledger.account(published, letters, amid)
        for ear, wait in list(self._waits):
            first = next((m for m in sorted(published, key=attrgetter("seq")) if ear.wants(m)), None)
            if first is not None:
                self._waits.remove((ear, wait))
                assert wait.result(PATIENCE) is first

    def _rest(self) -> None:
        if not self._gates:
            self._lanes.drain(PATIENCE)
            return
        until = time.monotonic() + PATIENCE
        while {lane.owner for lane, _ in self._lanes.busy()} != self._gates.keys():
            assert time.monotonic() < until, "a lane does not come to rest"
            time.sleep(0.0002)  # nobody tells that some lanes rest and others do not

    def _woken(self) -> None:
        self._wakes += 1

    def _spelled_out(self, entry: Message | Gap) -> list[tuple[int, bool]]:
        if isinstance(entry, Message):
            return [(entry.seq, False)]
        return [(seq, True) for seq in range(self._bus.seq_of(entry.start) + 1, self._bus.seq_of(entry.end) + 1)]


def _is_even(message: Message) -> bool:
    return isinstance(message.payload, int) and message.payload % 2 == 0
