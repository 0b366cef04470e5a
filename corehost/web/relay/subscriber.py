"""A client that subscribes, and how far each of its subscriptions has come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from corehost.contract.message import Message
from corehost.web.relay.backend import Gap, Identity
from corehost.web.relay.calls import CallQueue
from corehost.web.relay.client import Client
from corehost.web.relay.subscriptions import Interests


@dataclass(slots=True, kw_only=True, eq=False)
class Subscription:
    """One subscription: it has delivered what came after ``low`` up to ``reached``; ``None`` is up to now."""

    id: str
    interests: Interests
    low: int
    reached: int | None


@dataclass(slots=True, kw_only=True, eq=False)
class Page:
    """What is to be written next for the subscriptions that are ``behind``, which then have all up to ``reached``.

    ``gap`` lies before the first message.
    """

    behind: Sequence[Subscription]
    messages: deque[Message]
    gap: Gap | None
    reached: int


@dataclass(slots=True, kw_only=True, eq=False)
class Subscriber:
    """A client with its subscriptions; ``calls`` are its calls into the host.

    It is ``live``, in a group of the audience, once all of its subscriptions have reached the relay's position.
    """

    client: Client
    calls: CallQueue = field(default_factory=CallQueue)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    live: bool = False
    reading: bool = False
    page: Page | None = None


def all_interests(subscriptions: Iterable[Subscription]) -> Interests:
    """Return what any of *subscriptions* asks for."""
    return frozenset().union(*(subscription.interests for subscription in subscriptions))


def only_pattern(interests: Interests) -> str | None:
    """Return the one pattern that is asked for, ``None`` if there are several."""
    return next(iter(interests)).pattern if len(interests) == 1 else None


def reaches(identity: Identity, message: Message) -> bool:
    """Tell whether *message* is for *identity*, as far as its target says."""
    if message.target is None or identity.tool:
        return True
    return message.target in (f"user:{identity.user.id}", f"session:{identity.session}")
