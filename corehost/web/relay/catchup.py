"""Bring a client from where it left off to the live stream, in order, without a hole or a double."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import partial

from corehost.contract.message import Message
from corehost.web.relay.backend import Backend, Gap, Identity, Replay
from corehost.web.relay.calls import Calls
from corehost.web.relay.client import INTERNAL, Client, State
from corehost.web.relay.fanout import Fanout
from corehost.web.relay.frames import Scribe
from corehost.web.relay.limits import RelayLimits
from corehost.web.relay.subscriber import Page, Subscriber, Subscription, all_interests, only_pattern, reaches
from corehost.web.relay.subscriptions import Audience, Interest, Interests
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
        self._waiting.pop(subscriber.client, None)
        for _ in subscriber.subscriptions:
            self._fanout.leave()
        subscriber.subscriptions.clear()

    def unparked(self) -> None:
        """Go on with the clients that waited for a parked group."""
        waiting, self._waiting = self._waiting, {}
        for subscriber in waiting.values():
            self.step(subscriber)

    def step(self, subscriber: Subscriber) -> None:
        """Take *subscriber* nearer to being live."""
        client = subscriber.client
        if client.state is not State.OPEN or subscriber.reading or not self._freeze(subscriber):
            return
        if not self._write_page(subscriber):
            client.drained.append(partial(self.step, subscriber))
            return
        reached = {subscription.reached or 0 for subscription in subscriber.subscriptions.values()}
        first, *others = sorted(reached) or [self._fanout.position]
        if others or not self._go_live(subscriber, first):
            self._read_page(subscriber, first, others[0] if others else self._fanout.position)

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
        if not subscriber.live:
            return True
        if not self._audience.move(subscriber.client, frozenset()):
            self._waiting[subscriber.client] = subscriber
            return False
        subscriber.live = False
        for subscription in subscriber.subscriptions.values():
            if subscription.reached is None:
                subscription.reached = self._fanout.position
        return True

    def _go_live(self, subscriber: Subscriber, reached: int) -> bool:
        """Hand over what the relay has handed out after *reached* and join the group; false if it takes a page."""
        missing = self._fanout.since(reached)
        if missing is None or len(missing) > self._limits.recent // 4 or not self._all_decided(subscriber, missing):
            return False
        interests = all_interests(subscriber.subscriptions.values())
        if not self._audience.move(subscriber.client, interests):
            self._waiting[subscriber.client] = subscriber
            return True
        subscriber.live = True
        self._deliver_recent(subscriber, missing)
        for subscription in subscriber.subscriptions.values():
            subscription.reached = None
        return True

    def _all_decided(self, subscriber: Subscriber, entries: Iterable[Message | Gap]) -> bool:
        view = subscriber.client.identity.view
        return all(
            isinstance(entry, Gap)
            or self._verdicts.get(view, entry.type) is not None
            or not self._wanted_by(subscriber.subscriptions.values(), entry)
            for entry in entries
        )

    def _deliver_recent(self, subscriber: Subscriber, entries: Iterable[Message | Gap]) -> None:
        client = subscriber.client
        for entry in entries:
            if isinstance(entry, Gap):
                client.write(self._scribe.gap(client.wire, entry))
            elif self._wanted_by(subscriber.subscriptions.values(), entry) and self._is_let_through(client, entry):
                self._write(client, entry)

    def _is_let_through(self, client: Client, message: Message) -> bool:
        return reaches(client.identity, message) and bool(self._verdicts.get(client.identity.view, message.type))

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
        if subscriber.page.gap is not None:
            subscriber.client.write(self._scribe.gap(subscriber.client.wire, subscriber.page.gap))
        self.step(subscriber)

    def _write_page(self, subscriber: Subscriber) -> bool:
        """Write as much of the page as the client reads; return whether that was all."""
        page, client = subscriber.page, subscriber.client
        if page is None:
            return True
        behind = [s for s in page.behind if s.id in subscriber.subscriptions]  # others have ended meanwhile
        others = [s for s in subscriber.subscriptions.values() if s not in behind]
        while page.messages:
            if client.pending > self._limits.block:
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
