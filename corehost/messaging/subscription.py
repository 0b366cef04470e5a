"""One subscription, and a message on its way to the subscriptions of one plugin."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import msgspec

from corehost.contract.errors import InvalidError
from corehost.contract.message import Handler, HandlerContext, Message
from corehost.contract.user import Signal, UserContext
from corehost.messaging.dead import DeadLetters, Reason
from corehost.messaging.faults import FaultSink
from corehost.messaging.lane import Lane
from corehost.messaging.patterns import ANY, Pattern
from corehost.messaging.trail import Trail, current_trail, entered


class Subscription:
    """What one owner wants to hear, and what hears it. A blinker signal holds it as its receiver.

    ``rank`` is the owner's place in the load order and ``number`` the subscription's own, for ties of priority;
    ``may_know_user`` whether its handler may be told who is behind a message. ``is_choosy``: it must be asked about
    each message.
    """

    # There may be a hundred thousand: what is in one place in memory is looked at in half of the time.
    __slots__ = (
        "_filter",
        "_handle",
        "_may_know_user",
        "_sources",
        "call",
        "is_choosy",
        "is_live",
        "lane",
        "order",
        "owner",
        "pattern",
    )

    def __init__(
        self,
        pattern: Pattern,
        handler: Handler,
        *,
        lane: Lane,
        sources: frozenset[str] | None,
        order: tuple[int, int, int],
        may_know_user: Callable[[str], bool],
    ) -> None:
        self.pattern = pattern
        self.owner = lane.owner
        self.lane = lane
        self.order = order
        self.is_live = True
        self._handle = handler.handle
        self._filter = handler.filter
        self._sources = sources
        self.is_choosy = self._filter is not None or sources is not None
        self._may_know_user = may_know_user
        # What a lane calls for each message: the handler itself for nearly all.
        self.call: Callable[[Message], Any] = self if takes_context(handler.handle) else handler.handle

    def __call__(self, message: Message, signal: Signal | None = None) -> Any:
        """Let the handler handle *message*; *signal* tells it when nobody waits any more."""
        if self.call is not self:
            return self.lane.settle(self.call(message))
        signal = signal or Signal(time.monotonic() + self.lane.deadline)
        user: UserContext | None = current_trail().user if self._may_know_user(self.owner) else None
        return self.lane.settle(self._handle(message, HandlerContext(signal=signal, user=user)))

    def end(self) -> None:
        """Hear nothing any more, not even what is on its way already."""
        self.is_live = False
        self.call = ignore

    def wants(self, message: Message, faults: FaultSink) -> bool:
        """Tell whether *message* is for it. Runs the plugin's filter; one that raises is charged and means no."""
        if self._sources is not None and message.source not in self._sources:
            return False
        if self._filter is None:
            return True
        try:
            with entered(current_trail().after(message.id)):
                return bool(self.lane.settle(self._filter(message)))
        except BaseException as error:  # noqa: BLE001  # a plugin may raise anything; the sender is not to blame
            faults.charge(self.owner, error, where="filter", message=message)
            return False


class Delivery(msgspec.Struct, gc=False):
    """A message in the lane of one owner, with those of its subscriptions that hear it, in their order."""

    message: Message
    calls: tuple[Subscription, ...]
    trail: Trail  # of the sender
    where: ClassVar[str] = "handler"

    def rest(self, left: int) -> Delivery | None:
        """Return the delivery to the last *left*."""
        return Delivery(self.message, self.calls[-left:], self.trail) if left else None

    def lose(self, letters: DeadLetters, owner: str, reason: Reason) -> None:
        """Take note that the owner will never hear the message."""
        letters.add(owner, reason, self.message)

    def its_trail(self) -> Trail:
        """Return the trail of what the handlers do."""
        return self.trail.after(self.message.id)


def ignore(_: object) -> None:
    """Handle a message that nobody wants any more."""


def takes_context(handle: Callable[..., Any]) -> bool:
    """Tell whether *handle* has a second positional parameter that it cannot do without."""
    try:
        parameters = inspect.signature(handle).parameters.values()
    except (ValueError, TypeError):
        return False  # something built in that does not tell
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in positional and p.default is p.empty for p in parameters) >= 2


def sources_of(source: str | Sequence[str] | None) -> frozenset[str] | None:
    """Return the sources that a subscription is limited to, ``None`` for no limit; ``*`` is none either."""
    if source is None:
        return None
    sources = frozenset([source] if isinstance(source, str) else source)
    if not all(isinstance(name, str) for name in sources):
        raise InvalidError(f"{source!r} is no source. Give a plugin's id, 'core' or 'user:<id>', or several of them.")
    return None if ANY in sources else sources
