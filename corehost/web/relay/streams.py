"""Begin and end the subscriptions of event streams."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial

from corehost.web.relay.catchup import CatchUp
from corehost.web.relay.client import INTERNAL, Client
from corehost.web.relay.sse import EventStream
from corehost.web.relay.subscriber import Subscriber
from corehost.web.relay.subscriptions import Interest


class Streams:
    """Each stream has one subscription of all its patterns: it has one cursor, so they must move together."""

    def __init__(self, catch_up: CatchUp) -> None:
        self._catch_up = catch_up
        self._subscribers: dict[Client, Subscriber] = {}

    def begin(self, client: EventStream, patterns: Sequence[str], since: str | None) -> None:
        """Send *client* the messages of *patterns* after *since*, or from now."""
        subscriber = self._subscribers[client] = Subscriber(client=client)
        interests = frozenset(Interest(pattern=pattern) for pattern in patterns)
        self._catch_up.begin(subscriber, "s", interests, since, partial(self._begun, client))

    def end(self, client: Client) -> None:
        """End what *client* had."""
        subscriber = self._subscribers.pop(client, None)
        if subscriber is not None:
            self._catch_up.forget(subscriber)

    def _begun(self, client: EventStream, cursor: Future[str]) -> None:
        if cursor.exception() is not None:
            client.close(INTERNAL)
        else:
            client.begin(cursor.result())
