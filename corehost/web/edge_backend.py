"""The host as the relay sees it: bus, gateway, permissions and state behind plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any

from corehost.contract.errors import NotFoundError, PermissionDeniedError
from corehost.contract.message import Message
from corehost.contract.permissions import ALL
from corehost.contract.stores import Readable
from corehost.messaging import cursors, feed
from corehost.messaging.bus import Bus
from corehost.messaging.patterns import pattern as pattern_of
from corehost.messaging.trail import Trail, current_trail, entered
from corehost.plugins.assembly import Plugins
from corehost.web.caller import Caller
from corehost.web.relay.backend import Gap, Identity, Replay, Topic, Undo

TIMEOUT = 30_000.0
"""Milliseconds that a browser's request waits for its answer unless it says otherwise."""


class EdgeBackend:
    """Does for users what the relay is asked for; keeps the relay's ``Backend``."""

    def __init__(self, *, bus: Bus, plugins: Plugins) -> None:
        self._bus = bus
        self._plugins = plugins
        self._permissions = plugins.permissions

    def identify(self, caller: Caller) -> Identity:
        """Return who *caller* is to the relay."""
        user = caller.user
        # Where plugins decide on permissions they may look at the user; elsewhere equal permissions see alike.
        decided = bool(self._plugins.hooks.implementers("corehost_check_permission"))
        view = (user.id, user.roles, frozenset(user.permissions)) if decided else frozenset(user.permissions)
        is_tool = caller.via == "token" and ALL in user.permissions
        return Identity(user=user, session=caller.session, view=view, tool=is_tool, proof=caller)

    def open_feed(self, wake: Callable[[], None]) -> EdgeFeed:
        """Begin to collect messages."""
        return EdgeFeed(self._bus.open_feed(wake))

    def position(self) -> int:
        """Return the ``seq`` of the newest message."""
        return self._bus.position()

    def cursor_of(self, seq: int) -> str:
        """Return the cursor right after message *seq*."""
        return self._bus.cursor_of(seq)

    def seq_of(self, cursor: str) -> int:
        """Return the ``seq`` of a cursor of this run of the host."""
        return self._bus.seq_of(cursor)

    def matches(self, pattern: str, type: str) -> bool:
        """Tell whether a message type matches a subscription pattern."""
        return bool(pattern_of(pattern).matches(type))

    def may_see(self, identity: Identity, type: str) -> bool:
        """Tell whether *identity* may see messages of this type."""
        return self._permissions.may_see_type(identity.user, type)

    def replay(self, pattern: str | None, since: str | None, limit: int, upto: int | None = None) -> Replay:
        """Return messages from history, oldest first."""
        found = self._bus.replay(pattern, since, limit, upto)
        return Replay(messages=found.messages, gap=None if found.gap is None else _gap(found.gap))

    def send(
        self, identity: Identity, type: str, payload: Any, target: str | None, meta: Mapping[str, Any] | None
    ) -> Message:
        """Publish a message whose source is the user."""
        self._require_sender(identity, type)
        with _on_behalf(identity):
            return self._bus.send(type, payload, source=_source(identity), target=target, meta=meta)

    def request(self, identity: Identity, type: str, payload: Any, timeout: float | None) -> Future[Any]:
        """Ask on the bus in the user's name; *timeout* is in milliseconds."""
        self._require_sender(identity, type)
        milliseconds = TIMEOUT if timeout is None else timeout
        with _on_behalf(identity):
            return self._bus.request_future(type, payload, source=_source(identity), timeout=milliseconds)

    def call(self, identity: Identity, plugin: str, method: str, input: Any) -> Future[Any]:
        """Call a plugin's method in the user's name."""
        with _on_behalf(identity):
            return self._plugins.gateway.submit(plugin, method, input, user=identity.user)

    def read(self, identity: Identity, topic: Topic) -> tuple[Any, int]:
        """Return value and version of a store or of a key of the shared state."""
        if topic.plugin is not None and topic.store is not None:
            with _on_behalf(identity):
                return self._plugins.gateway.read_store(topic.plugin, topic.store, user=identity.user)
        # A key belongs to whom a message type of that name would belong to.
        if not self._permissions.may_see_type(identity.user, topic.key or ""):
            raise _denied(identity, f"read the shared value {topic.key!r}")
        return self._followed(topic).snapshot()

    def follow(self, topic: Topic, changed: Callable[[Any, int], None]) -> Undo:
        """Call *changed* with value and version after each change of *topic*."""
        store = self._followed(topic)
        return store.subscribe(lambda _: changed(*store.snapshot()))

    def _followed(self, topic: Topic) -> Readable[Any]:
        if topic.plugin is not None and topic.store is not None:
            return self._plugins.gateway.store(topic.plugin, topic.store)
        if topic.key is None:
            raise NotFoundError("Nothing was named. Name a plugin and its store, or a key of the shared state.")
        return self._plugins.shared.get_store(topic.key)

    def _require_sender(self, identity: Identity, type: str) -> None:
        if not self._permissions.may_send_type(identity.user, type):
            raise _denied(identity, f"send {type!r}")


class EdgeFeed:
    """The bus's feed in the relay's words."""

    def __init__(self, source: feed.Feed) -> None:
        self._source = source

    def take(self, limit: int) -> Sequence[Message | Gap]:
        """Return up to *limit* messages and gaps that are there."""
        return [entry if isinstance(entry, Message) else _gap(entry) for entry in self._source.take(limit)]

    def close(self) -> None:
        """Stop collecting."""
        self._source.close()


def _gap(gap: cursors.Gap) -> Gap:
    return Gap(start=gap.start, end=gap.end)


def _source(identity: Identity) -> str:
    return f"user:{identity.user.id}"


def _on_behalf(identity: Identity) -> AbstractContextManager[None]:
    here = current_trail()
    return entered(
        Trail(cause=here.cause, hops=here.hops, deadline=here.deadline, user=identity.user, session=identity.session)
    )


def _denied(identity: Identity, what: str) -> PermissionDeniedError:
    return PermissionDeniedError(
        f"{_source(identity)} may not {what}. Ask the operator for the permission.", subject=_source(identity)
    )
