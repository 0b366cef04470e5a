"""What the relay asks of the host: values in, values out, no host objects."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from corehost.contract.message import Message
from corehost.contract.user import UserContext

Undo = Callable[[], None]
"""Undoes what returned it; calling it twice does nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Identity:
    """Who is at the other end of a connection.

    ``session`` is the public id of the browser session, ``None`` for a token. ``tool`` marks an administrator's
    tool, which also hears what is addressed to others. Whoever has an equal ``view`` may see the same types. ``proof``
    is how they showed who they are, for the host to look at again.
    """

    user: UserContext
    session: str | None
    view: Hashable
    tool: bool = False
    proof: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Messages that are no more to be had: those after cursor ``start`` up to and including cursor ``end``."""

    start: str
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Messages from history, oldest first; ``gap`` lies before the first of them."""

    messages: Sequence[Message]
    gap: Gap | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A value that a browser watches: a plugin's store, or ``key`` of the shared state."""

    plugin: str | None = None
    store: str | None = None
    key: str | None = None

    def names(self) -> dict[str, str]:
        """Return the names that are set, as they stand in ``state.changed``."""
        named = {"plugin": self.plugin, "store": self.store, "key": self.key}
        return {name: value for name, value in named.items() if value is not None}


class Feed(Protocol):
    """All messages in order of ``seq``, from when it was opened."""

    def take(self, limit: int) -> Sequence[Message | Gap]:
        """Return up to *limit* that are there, without waiting; a ``Gap`` stands for what was lost."""

    def close(self) -> None:
        """Stop collecting."""


class Backend(Protocol):
    """The host behind the relay.

    ``open_feed``, ``Feed.take``, ``position``, ``cursor_of``, ``seq_of`` and ``matches`` are called on the loop and
    must be quick; all others on worker threads or in a request's, and may take their time. Errors are those of
    ``corehost.contract.errors``.
    """

    def open_feed(self, wake: Callable[[], None]) -> Feed:
        """Begin to collect messages; *wake* is called from any thread when there are some after there were none."""

    def position(self) -> int:
        """Return the ``seq`` of the newest message."""

    def cursor_of(self, seq: int) -> str:
        """Return the cursor of the message with this ``seq``, from which everything after it can be replayed."""

    def seq_of(self, cursor: str) -> int:
        """Return the ``seq`` that a cursor of this run of the host, made by ``cursor_of`` or a ``Gap``, stands for."""

    def matches(self, pattern: str, type: str) -> bool:
        """Tell whether a message type matches a subscription pattern."""

    def may_see(self, identity: Identity, type: str) -> bool:
        """Tell whether *identity* may see messages of this type; the answer is kept for all of equal ``view``."""

    def replay(self, pattern: str | None, since: str | None, limit: int, upto: int | None = None) -> Replay:
        """Return the oldest *limit* messages after *since*, or the newest *limit* without it, none after *upto*.

        Raises ``MalformedError`` for a *since* that is no cursor; one of another run answers with a gap.
        """

    def send(
        self, identity: Identity, type: str, payload: Any, target: str | None, meta: Mapping[str, Any] | None
    ) -> Message:
        """Publish a message in the name of *identity*."""

    def request(self, identity: Identity, type: str, payload: Any, timeout: float | None) -> Future[Any]:
        """Ask on the bus; *timeout* is in milliseconds."""

    def call(self, identity: Identity, plugin: str, method: str, input: Any) -> Future[Any]:
        """Call a plugin's method."""

    def read(self, identity: Identity, topic: Topic) -> tuple[Any, int]:
        """Return value and version of *topic*; raises if *identity* may not read it."""

    def follow(self, topic: Topic, changed: Callable[[Any, int], None]) -> Undo:
        """Call *changed* from any thread with value and version after each change of *topic*."""
