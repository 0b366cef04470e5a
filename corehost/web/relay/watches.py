"""Tell browsers of the values that they watch, of each only the latest."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from corehost.web.relay.backend import Backend, Topic, Undo
from corehost.web.relay.calls import CallQueue, Calls
from corehost.web.relay.client import Client, State
from corehost.web.relay.frames import notification
from corehost.web.relay.loop import Loop

Begun = Callable[[Future[tuple[Any, int]]], None]

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class Watch:
    """One client's watch of one topic; ``seen`` is what it was told last."""

    client: Client
    followed: Followed
    seen: tuple[int, int] | None = None
    waiting: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class Followed:
    """A topic that somebody watches. Versions begin anew with a plugin, so they are counted in rounds."""

    topic: Topic
    calls: CallQueue = field(default_factory=CallQueue)
    watches: dict[Watch, None] = field(default_factory=dict)
    newest: tuple[Any, int] | None = None  # as it comes in, from any thread
    posted: bool = False
    value: Any = None
    mark: tuple[int, int] = (0, -1)
    block: bytes | None = None
    undo: Undo | None = None


class Watches:
    """Follows each topic once, however many clients watch it, and writes each change once."""

    def __init__(self, loop: Loop, backend: Backend, calls: Calls) -> None:
        self._loop = loop
        self._backend = backend
        self._calls = calls
        self._followed: dict[Topic, Followed] = {}

    def begin(self, client: Client, calls: CallQueue, topic: Topic, begun: Begun) -> Watch:
        """Let *client* watch *topic*; *begun* gets value and version before the first change, or the refusal."""
        followed = self._followed.get(topic) or self._follow(topic)
        watch = Watch(client=client, followed=followed)
        followed.watches[watch] = None
        self._calls.submit(
            calls,
            partial(self._backend.read, client.identity, topic),
            partial(self._read, watch, begun),
        )
        return watch

    def end(self, watch: Watch) -> None:
        """Tell nothing more."""
        followed = watch.followed
        if followed.watches.pop(watch, watch) is None and not followed.watches:
            self._followed.pop(followed.topic, None)
            self._release(followed)

    def _follow(self, topic: Topic) -> Followed:
        followed = self._followed[topic] = Followed(topic=topic)
        self._calls.submit(
            followed.calls,
            partial(self._backend.follow, topic, partial(self._changed, followed)),
            partial(self._following, followed),
        )
        return followed

    def _following(self, followed: Followed, undo: Future[Undo]) -> None:
        if undo.exception() is not None:
            # Whoever may not read it, or finds it gone, is told by the answer to the read.
            _log.debug("Topic %s cannot be followed: %s", followed.topic, undo.exception())
            return
        followed.undo = undo.result()
        if not followed.watches:
            self._release(followed)

    def _release(self, followed: Followed) -> None:
        undo, followed.undo = followed.undo, None
        if undo is not None:
            self._calls.submit(followed.calls, undo, lambda _: None)

    def _read(self, watch: Watch, begun: Begun, answer: Future[tuple[Any, int]]) -> None:
        if answer.exception() is not None:
            self.end(watch)
            begun(answer)
            return
        watch.seen = (watch.followed.mark[0], answer.result()[1])
        begun(answer)
        self._tell(watch)

    def _changed(self, followed: Followed, value: Any, version: int) -> None:
        """Note the newest value, on any thread; those that it overtakes are never told."""
        followed.newest = (value, version)
        if not followed.posted:
            followed.posted = True
            self._loop.post(partial(self._take, followed))

    def _take(self, followed: Followed) -> None:
        followed.posted = False
        assert followed.newest is not None
        followed.value, version = followed.newest
        rounds, last = followed.mark
        followed.mark = (rounds + (version < last), version)
        followed.block = None
        for watch in list(followed.watches):
            self._tell(watch)

    def _tell(self, watch: Watch) -> None:
        watch.waiting = False
        client, followed = watch.client, watch.followed
        if watch not in followed.watches or watch.seen is None or watch.seen >= followed.mark:
            return
        if client.pending and client.state is State.OPEN:
            if not watch.waiting:
                watch.waiting = True
                client.drained.append(partial(self._tell, watch))
            return
        watch.seen = followed.mark
        client.write(self._block_of(followed))

    def _block_of(self, followed: Followed) -> bytes:
        if followed.block is None:
            params = {**followed.topic.names(), "value": followed.value, "version": followed.mark[1]}
            followed.block = notification("state.changed", params)
        return followed.block
