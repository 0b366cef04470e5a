"""The bus: messages in, to whoever wants them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from msgspec.structs import force_setattr

from corehost.contract.errors import InvalidError, MalformedError, PermissionDeniedError
from corehost.contract.message import Awaited, Handler, Message, MessageSchema
from corehost.messaging.admission import Admission, Presence, Vet
from corehost.messaging.calls import Calls
from corehost.messaging.dead import DEAD_LETTER, DeadLetter, DeadLetters, Notice
from corehost.messaging.faults import FaultSink
from corehost.messaging.feed import Feed
from corehost.messaging.history import History
from corehost.messaging.lane import Settle, as_it_is
from corehost.messaging.lanes import Lanes
from corehost.messaging.limits import BusLimits
from corehost.messaging.members import Members
from corehost.messaging.order import Order
from corehost.messaging.plain import PlainWay, Send
from corehost.messaging.plan import CORE, Plan, Plans, Route
from corehost.messaging.replay import Reader, Replay
from corehost.messaging.requests import Requests
from corehost.messaging.scoped import OPEN, Access, ScopedBus
from corehost.messaging.signals import Signals
from corehost.messaging.trail import Trail, entered

Undo = Callable[[], None]


class Bus:
    """Joins plugins to each other and to whoever follows a feed.

    A message's way: ``admission`` checks and writes it, the ``plan`` of its type says who hears it, ``order`` stamps
    and records it and puts it into lanes. ``may_know_user`` tells whether the handlers of an owner may be told who
    is behind a message. Everything may be called from any thread.
    """

    def __init__(
        self,
        *,
        lanes: Lanes,
        calls: Calls,
        faults: FaultSink,
        limits: BusLimits | None = None,
        signals: Signals | None = None,
        may_know_user: Callable[[str], bool] = lambda _: False,
    ) -> None:
        limits = limits or BusLimits()
        history = History(size=limits.history, share=limits.history_share, ceiling=limits.history_ceiling)
        self.signals = signals or Signals()
        self.published = self.signals.message_published
        self._lanes = lanes
        self._faults = faults
        self._plans = Plans(limit=limits.plans)
        self._members = Members(lanes, self._plans, may_know_user)
        self._admission = Admission(self._plans, self._members.has, hops=limits.hops)
        self._order = Order(history, lanes.letters, feed_share=limits.feed_share)
        self._plain_way = PlainWay(self._order, self._plans, self._admission.trail, self.published.receivers)
        self._requests = Requests(calls, faults)
        self._reader = Reader(history, self._order.cursors, self._order.lock, self.position)
        self.epoch = self._order.cursors.epoch
        lanes.letters.listen(self._dropped, self._notice)
        self.join(CORE, rank=-1)

    # --- who takes part ---

    def join(self, owner: str, *, rank: int = 0, settle: Settle = as_it_is) -> Undo:
        """Give *owner* a lane and make it a target; *rank* is its place in the load order.

        *settle* waits for what a handler returned, if it is a coroutine. The undo takes its subscriptions, schemas and
        lane away; what waited for it becomes dead letters.
        """
        return self._members.join(owner, rank, settle)

    def scoped(self, owner: str, access: Access = OPEN) -> ScopedBus:
        """Return the bus as *owner* sees it, by *access*."""
        return ScopedBus(self, owner, access)

    def close(self) -> None:
        """Let everyone leave; whoever waits for a message is told."""
        self._members.close()

    # --- sending ---

    def send(
        self,
        type: str,
        payload: Any = None,
        *,
        source: str = CORE,
        target: str | None = None,
        meta: Mapping[str, Any] | None = None,
        wait: float | None = None,
    ) -> Message:
        """Publish a message and return it, without waiting for any handler.

        With *wait*, wait that many seconds for room in every lane that hears it, then raise ``OverloadedError``.
        Raises ``InvalidError``, ``PermissionDeniedError``, ``NoTargetError``, ``HopLimitError``.
        """
        draft, plan, trail = self._admission.admit(type, payload, source, target, meta)
        routes = plan.routes if plan.is_plain and target is None else self._chosen(plan, draft)
        if wait is None:
            self._order.publish(draft, routes, plan.waiters, trail)
        else:
            self._order.publish_with_room(draft, routes, plan.waiters, trail, wait)
        if self.published.receivers:
            self._tell(draft)
        return draft

    def send_of(self, source: str, access: Access) -> Send:
        """Return what ``send`` is to *source*, by a shorter way for most messages."""
        return self._plain_way.send_of(source, access, self._tell, self.send)

    def request(
        self,
        type: str,
        payload: Any = None,
        *,
        source: str = CORE,
        target: str | None = None,
        meta: Mapping[str, Any] | None = None,
        timeout: float = 30_000,
    ) -> Any:
        """Ask, and return the first answer other than ``None``; *timeout* is in milliseconds.

        Raises what ``send`` raises and ``NoHandlerError``, ``PluginFaultError``, ``LateError``, ``BusyError``.
        """
        return self.request_future(type, payload, source=source, target=target, meta=meta, timeout=timeout).result()

    def request_future(
        self,
        type: str,
        payload: Any = None,
        *,
        source: str = CORE,
        target: str | None = None,
        meta: Mapping[str, Any] | None = None,
        timeout: float = 30_000,
    ) -> Future[Any]:
        """Ask without waiting; cancelling the future tells the handler that nobody waits."""
        if not timeout >= 0:
            raise InvalidError(f"The timeout {timeout!r} is no number of milliseconds. Give 0 or more.")
        draft, plan, trail = self._admission.admit(type, payload, source, target, meta)
        force_setattr(draft, "correlation_id", draft.id)
        asked = [one for one in plan.subscriptions if target in (None, one.owner) and one.wants(draft, self._faults)]
        self._order.publish(draft, (), plan.waiters, trail)
        if self.published.receivers:
            self._tell(draft)
        deadline = time.monotonic() + timeout / 1_000
        if trail.deadline is not None:
            deadline = min(deadline, trail.deadline)
        return self._requests.ask(draft, asked, plan.check_response, trail=trail, deadline=deadline)

    # --- hearing ---

    def subscribe(
        self,
        pattern: str,
        handler: Handler | Callable[..., Any],
        *,
        owner: str = CORE,
        source: str | Sequence[str] | None = None,
        priority: int = 0,
    ) -> Undo:
        """Call *handler* in the lane of *owner* for each message whose type matches *pattern*.

        It must not be ``async``. *source* limits it to messages of these sources; *priority* orders the handlers of
        one owner, and those of all for a request; where it is 0, the ``Handler``'s own counts. Raises
        ``DisabledError`` if *owner* has not joined.
        """
        return self._members.subscribe(pattern, handler, owner, source, priority)

    def once(self, pattern: str, *, owner: str = CORE, source: str | Sequence[str] | None = None) -> Awaited:
        """Return the next such message, to be waited for."""
        return self._members.once(pattern, owner, source)

    def open_feed(self, wake: Callable[[], None]) -> Feed:
        """Collect all messages from now on; *wake* is called when there are some after there were none."""
        return self._order.open_feed(wake)

    # --- schemas ---

    def declare(self, schema: MessageSchema, *, owner: str) -> Undo:
        """Check messages of the schema's type from now on; raises ``ConflictError`` if the type has a schema."""
        if schema.type.startswith(f"{CORE}:") and owner != CORE:
            raise PermissionDeniedError(f"{schema.type!r} belongs to the host. Choose another type.", subject=owner)
        return self._plans.schemas.declare(schema, owner)

    def schemas(self) -> Mapping[str, tuple[str, MessageSchema]]:
        """Return by type who declared its schema, and the schema."""
        return self._plans.schemas.all()

    # --- history ---

    def get_history(self, pattern: str | None = None, limit: int = 100, *, owner: str | None = None) -> list[Message]:
        """Return the newest *limit* messages, oldest first; of those that *owner* might have heard, if given."""
        if owner is None:
            return self._reader.latest(pattern, limit)
        return self._reader.latest(pattern, limit, lambda m: m.target in (None, owner) or m.source == owner)

    def clear_history(self) -> None:
        """Forget all messages so far."""
        self._order.clear()

    def replay(self, pattern: str | None, since: str | None, limit: int, upto: int | None = None) -> Replay:
        """Return the oldest *limit* messages after cursor *since*, or the newest without it; none after *upto*.

        Raises ``MalformedError`` for a *since* that is no cursor; one of another run of the host gets a gap.
        """
        return self._reader.replay(pattern, since, limit, upto)

    def position(self) -> int:
        """Return the ``seq`` of the newest message."""
        return self._order.seq

    def cursor(self) -> str:
        """Return the cursor after the newest message."""
        return self.cursor_of(self.position())

    def cursor_of(self, seq: int) -> str:
        """Return the cursor right after message *seq*."""
        return self._order.cursors.of(seq)

    def seq_of(self, cursor: str) -> int:
        """Return the ``seq`` of a cursor of this run of the host; raises ``MalformedError`` for any other."""
        seq = self._order.cursors.seq_of(cursor)
        if seq is None:
            raise MalformedError(f"The cursor {cursor!r} comes from another run of the host.")
        return seq

    # --- for the host ---

    def dead_letters(self) -> DeadLetters:
        """Return what was lost."""
        return self._lanes.letters

    def vet(self, vet: Vet) -> Undo:
        """Show every message but those of ``core:*`` to *vet* before it is published."""
        return self._admission.vet(vet)

    def presence(self, presence: Presence) -> Undo:
        """Ask *presence* whether a target ``user:<id>`` or ``session:<id>`` is there; without it, none is."""
        return self._admission.presence(presence)

    def count(self, owner: str | None = None) -> int:
        """Return how many subscriptions there are, or *owner* has."""
        return self._plans.subscriptions.count(owner)

    def subscribers(self, message_type: str) -> list[tuple[str, str]]:
        """Return owner and pattern of each subscription that hears messages of the type."""
        return [(one.owner, one.pattern.text) for one in self._plans.subscriptions.of(message_type)]

    def drain(self, timeout: float = 10.0) -> None:
        """Wait until no lane has anything to do; raises ``LateError`` that names those which have."""
        self._lanes.drain(timeout)

    def _chosen(self, plan: Plan, draft: Message) -> list[Route]:
        """Return the routes to those who want this very message."""
        chosen = []
        for lane, subscriptions in plan.routes:
            if draft.target in (None, lane.owner):
                wanting = tuple(one for one in subscriptions if one.wants(draft, self._faults))
                if wanting:
                    chosen.append((lane, wanting))
        return chosen

    def _tell(self, message: Message) -> None:
        self.signals.tell(self.published, self, message=message)

    def _dropped(self, letter: DeadLetter) -> None:
        self.signals.tell(self.signals.message_dropped, self, letter=letter)

    def _notice(self, notice: Notice) -> None:
        letter = notice.letter
        payload = {"owner": letter.owner, "reason": letter.reason, "count": notice.count, "last": letter.what}
        lost = letter.message
        with entered(Trail(cause=None if lost is None else lost.id)):  # not by the sender's hops, which may be many
            self.send(DEAD_LETTER, payload)
