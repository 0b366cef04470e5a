"""Who takes part in the bus, and how they come to hear it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from corehost.contract.errors import ConflictError, DisabledError, InvalidError
from corehost.contract.message import Handler
from corehost.messaging.lane import Lane, Settle
from corehost.messaging.lanes import Lanes
from corehost.messaging.patterns import pattern as pattern_of
from corehost.messaging.plan import Plans
from corehost.messaging.subscription import Subscription, sources_of
from corehost.messaging.waiter import NextMessage, Waiter

Undo = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    lane: Lane
    rank: int
    close_lane: Undo


class Members:
    """The owners that have joined: each has a lane, and may be a target and subscribe."""

    def __init__(self, lanes: Lanes, plans: Plans, may_know_user: Callable[[str], bool]) -> None:
        self._lanes = lanes
        self._plans = plans
        self._may_know_user = may_know_user
        self._lock = threading.RLock()  # a finalizer may come in between, see order.py
        self._members: dict[str, _Member] = {}
        self._numbers = itertools.count()

    def join(self, owner: str, rank: int, settle: Settle) -> Undo:
        """Let *owner* take part; the undo takes away its subscriptions, schemas and lane."""
        with self._lock:
            if owner in self._members:
                raise ConflictError(f"{owner!r} has joined the bus already. Let it leave first.")
            close_lane = self._lanes.open(owner, settle)
            lane = self._lanes.lane(owner)
            assert lane is not None
            member = _Member(lane=lane, rank=rank, close_lane=close_lane)
            self._members[owner] = member
        return lambda: self._leave(owner, member)

    def has(self, owner: str) -> bool:
        """Tell whether *owner* takes part."""
        return owner in self._members

    def subscribe(
        self,
        pattern: str,
        handler: Handler | Callable[..., Any],
        owner: str,
        source: str | Sequence[str] | None,
        priority: int,
    ) -> Undo:
        """Let *handler* hear what matches; *priority* counts before the handler's own unless it is 0."""
        if not isinstance(handler, Handler):
            handler = Handler(handle=handler)
        if not callable(handler.handle):
            raise InvalidError(f"{handler.handle!r} cannot handle messages. Give a function.")
        wanted, sources = pattern_of(pattern), sources_of(source)
        with self._lock:
            member = self._member(owner)
            subscription = Subscription(
                wanted,
                handler,
                lane=member.lane,
                sources=sources,
                order=(-(priority or handler.priority), member.rank, next(self._numbers)),
                may_know_user=self._may_know_user,
            )
            return self._plans.subscriptions.add(subscription)

    def once(self, pattern: str, owner: str, source: str | Sequence[str] | None) -> NextMessage:
        """Wait for the next message that matches."""
        wanted, sources = pattern_of(pattern), sources_of(source)
        with self._lock:
            member = self._member(owner)
            order = (0, member.rank, next(self._numbers))
            waiter = Waiter(wanted, lane=member.lane, sources=sources, order=order)
            return NextMessage(waiter, self._plans.subscriptions.add(waiter))

    def close(self) -> None:
        """Let everyone leave."""
        for owner, member in list(self._members.items()):
            self._leave(owner, member)

    def _member(self, owner: str) -> _Member:
        member = self._members.get(owner)
        if member is None:
            raise DisabledError(f"{owner!r} has not joined the bus, so it cannot hear it. Enable it first.")
        return member

    def _leave(self, owner: str, member: _Member) -> None:
        with self._lock:
            if self._members.get(owner) is not member:
                return
            del self._members[owner]
        member.close_lane()  # first, so that what comes while the rest is taken away counts as lost
        for subscription in self._plans.subscriptions.remove_all(owner):
            if isinstance(subscription, Waiter):
                subscription.give_up(f"{owner!r} has left the bus.")
        self._plans.schemas.withdraw_all(owner)
