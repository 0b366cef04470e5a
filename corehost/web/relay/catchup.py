"""Bring a client from where it left off to the live stream, in order, without a hole or a double."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import compress

from corehost.contract.message import Message
from corehost.web.relay.backend import Backend, Gap, Identity, Replay
from corehost.web.relay.calls import Calls
from corehost.web.relay.client import INTERNAL, Client, State
from corehost.web.relay.fanout import Fanout
from corehost.web.relay.frames import Scribe
from corehost.web.relay.limits import RelayLimits
from corehost.web.relay.subscriber import Page, Subscriber, Subscription, all_interests, only_pattern, reaches
from corehost.web.relay.subscriptions import Audience, Group, Interest, Interests
from corehost.web.relay.verdicts import Verdicts

_SCAN = 2_048  # messages looked through at a time when several patterns are behind


Begun = Callable[[Future[str]], None]
"""Gets the cursor from which a subscription delivers, or why it does not, before its first message is sent."""


class CatchUp:
    """Moves clients along: pages from history first, what the relay handed out last, then the live group.

    A client with one subscription behind gets nothing live meanwhile, or a message of two of its patterns would
    overtake those that one of them still lacks.
    """

    def __init__(
        self,
        backend: Backend,
        calls: Calls,
        audience: Audience,
        verdicts: Verdicts,
        fanout: Fanout,
        scribe: Scribe,
        limits: RelayLimits,
    ) -> None:
        self._backend = backend
        self._calls = calls
        self._audience = audience
        self._verdicts = verdicts
        self._fanout = fanout
        self._scribe = scribe
        self._limits = limits
        self._enough = min(limits.block, limits.out_buffer // 4)  # written ahead of what the client has read
        self._live: dict[Client, Subscriber] = {}
        self._waiting: dict[Client, Subscriber] = {}  # for their parked group

    def begin(self, subscriber: Subscriber, id: str, interests: Interests, since: str | None, begun: Begun) -> None:
        """Start a subscription at cursor *since*, or now."""
        self._fanout.enter()
        position = self._fanout.position
        if since is None:
            self._begin_at(
                subscriber, id, interests, position, partial(begun, _done(self._backend.cursor_of(position)))
            )
            return
        # The host is asked for one message only to learn whether there is a gap.
        self._calls.submit(
            subscriber.calls,
            partial(self._backend.replay, only_pattern(interests), since, 1, position),
            partial(self._probed, subscriber, id, interests, since, begun),
        )

    def end(self, subscriber: Subscriber, id: str) -> bool:
        """Deliver nothing more of a subscription; return whether there was one."""
        if subscriber.subscriptions.pop(id, None) is None:
            return False
        self.step(subscriber)
        self._fanout.leave()
        return True

    def forget(self, subscriber: Subscriber) -> None:
        """End all subscriptions of a client that has gone."""
        self._live.pop(subscriber.client, None)
        self._waiting.pop(subscriber.client, None)
        for _ in subscriber.subscriptions:
            self._fanout.leave()
        subscriber.subscriptions.clear()

    def fall_back(self, group: Group, reached: int) -> None:
        """Let the members of *group*, who were handed nothing after *reached*, go on from there by the history."""
        for client in list(group.members):
            subscriber = self._live[client]
            for subscription in subscriber.subscriptions.values():
                subscription.reached = reached
            self.step(subscriber)

    def unparked(self) -> None:
        """Go on with the clients that waited for a parked group."""
        waiting, self._waiting = self._waiting, {}
        for subscriber in waiting.values():
            self.step(subscriber)

    def step(self, subscriber: Subscriber) -> None:
        """Take *subscriber* as near to being live as can be without waiting."""
        client = subscriber.client
        if client.state is not State.OPEN or subscriber.reading or not self._freeze(subscriber):
            return
        while self._write_page(subscriber):
            reached = {subscription.reached or 0 for subscription in subscriber.subscriptions.values()}
            first, *others = sorted(reached) or [self._fanout.position]
            recent = None if others else self._fanout.since(first)
            if recent is not None and not recent:
                self._go_live(subscriber)
                return
            subscriber.page = None if recent is None else self._recent_page(subscriber, recent)
            if subscriber.page is None:
                self._read_page(subscriber, first, others[0] if others else self._fanout.position)
                return
        client.drained.append(partial(self.step, subscriber))

    def _probed(
        self,
        subscriber: Subscriber,
        id: str,
        interests: Interests,
        since: str,
        begun: Begun,
        probe: Future[Replay],
    ) -> None:
        if subscriber.client.state is not State.OPEN or probe.exception() is not None:
            self._fanout.leave()
            begun(_failed(probe.exception()))
            return
        gap = probe.result().gap
        start = gap.end if gap is not None else since
        low = min(self._backend.seq_of(start), self._fanout.position)

        def tell() -> None:
            begun(_done(start))
            if gap is not None:
                subscriber.client.write(self._scribe.gap(subscriber.client.wire, gap))

        self._begin_at(subscriber, id, interests, low, tell)

    def _begin_at(
        self, subscriber: Subscriber, id: str, interests: Interests, low: int, tell: Callable[[], None]
    ) -> None:
        subscriber.subscriptions[id] = Subscription(id=id, interests=interests, low=low, reached=low)
        tell()
        self.step(subscriber)

    def _freeze(self, subscriber: Subscriber) -> bool:
        """Take a live client out of its group; false if it must wait, because the group holds messages for it."""
        if subscriber.client not in self._live:
            return True
        if not self._audience.move(subscriber.client, frozenset()):
            self._waiting[subscriber.client] = subscriber
            return False
        del self._live[subscriber.client]
        subscriber.live = False
        for subscription in subscriber.subscriptions.values():
            if subscription.reached is None:
                subscription.reached = self._fanout.position
        return True

    def _go_live(self, subscriber: Subscriber) -> None:
        subscriptions = subscriber.subscriptions.values()
        if not self._audience.move(subscriber.client, all_interests(subscriptions)):
            self._waiting[subscriber.client] = subscriber
            return
        self._live[subscriber.client] = subscriber
        subscriber.live = True
        for subscription in subscriptions:
            subscription.reached = None

    def _recent_page(self, subscriber: Subscriber, recent: Sequence[Message | Gap]) -> Page | None:
        """Return what the relay has just handed out as a page, up to a gap; ``None`` if a verdict is wanting."""
        behind, identity = list(subscriber.subscriptions.values()), subscriber.client.identity
        if isinstance(recent[0], Gap):
            reached = self._backend.seq_of(recent[0].end)
            return Page(behind=behind, messages=deque(), gap=recent[0], reached=reached)
        messages: list[Message] = []
        for entry in recent:
            if isinstance(entry, Gap):
                break
            messages.append(entry)
        wanted = [m for m in messages if self._wanted_by(behind, m) and reaches(identity, m)]
        verdicts = [self._verdicts.get(identity.view, message.type) for message in wanted]
        if None in verdicts:
            return None
        return Page(behind=behind, messages=deque(compress(wanted, verdicts)), gap=None, reached=messages[-1].seq)

    def _read_page(self, subscriber: Subscriber, since: int, upto: int) -> None:
        subscriber.reading = True
        behind = [s for s in subscriber.subscriptions.values() if s.reached == since]
        self._calls.submit(
            subscriber.calls,
            partial(self._page, subscriber.client.identity, behind, since, upto),
            partial(self._take_page, subscriber),
        )

    def _page(self, identity: Identity, behind: Sequence[Subscription], since: int, upto: int) -> Page:
        """Read the next page of what *identity* may see; not for the loop."""
        pattern = only_pattern(all_interests(behind))
        limit = _SCAN if pattern is None else self._limits.page
        replay = self._backend.replay(pattern, self._backend.cursor_of(since), limit, upto)
        reached = replay.messages[-1].seq if len(replay.messages) >= limit else upto
        wanted = (message for message in replay.messages if self._wanted_by(behind, message))
        seen = (m for m in wanted if reaches(identity, m) and self._verdicts.find(identity, m.type))
        return Page(behind=behind, messages=deque(seen), gap=replay.gap, reached=reached)

    def _take_page(self, subscriber: Subscriber, read: Future[Page]) -> None:
        subscriber.reading = False
        if read.exception() is not None:  # it was promised to hear all; it must not go on in the belief that it does
            subscriber.client.close(INTERNAL, "The history cannot be read; resume later.")
            return
        subscriber.page = read.result()
        self.step(subscriber)

    def _write_page(self, subscriber: Subscriber) -> bool:
        """Write as much of the page as the client reads; return whether that was all."""
        page, client = subscriber.page, subscriber.client
        if page is None:
            return True
        if page.gap is not None:
            client.write(self._scribe.gap(client.wire, page.gap))
            page.gap = None
        behind = [s for s in page.behind if s.id in subscriber.subscriptions]  # others have ended meanwhile
        others = [s for s in subscriber.subscriptions.values() if s not in behind]
        while page.messages:
            if client.pending > self._enough:
                return False
            message = page.messages.popleft()
            had = (s for s in others if s.low < message.seq <= (s.reached or 0))
            if self._wanted_by(behind, message) and not self._wanted_by(had, message):
                self._write(client, message)
        for subscription in behind:
            subscription.reached = page.reached
        subscriber.page = None
        return True

    def _wanted_by(self, subscriptions: Iterable[Subscription], message: Message) -> bool:
        return any(self._asked(interest, message) for one in subscriptions for interest in one.interests)

    def _asked(self, interest: Interest, message: Message) -> bool:
        of_source = interest.sources is None or message.source in interest.sources
        return of_source and self._backend.matches(interest.pattern, message.type)

    def _write(self, client: Client, message: Message) -> None:
        client.write(self._scribe.message(client.wire, message))


def _done(value: str) -> Future[str]:
    future: Future[str] = Future()
    future.set_result(value)
    return future


def _failed(error: BaseException | None) -> Future[str]:
    future: Future[str] = Future()
    future.set_exception(error or ConnectionError("The client has gone."))
    return future
