"""A small host in memory, for the relay to talk to."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from corehost.contract.errors import MalformedError, MethodNotFoundError, NoHandlerError, NotFoundError
from corehost.contract.message import Message
from corehost.web.relay.backend import Gap, Identity, Replay, Topic, Undo


class MemoryFeed:
    def __init__(self, wake: Callable[[], None], close: Callable[[MemoryFeed], None]) -> None:
        self._entries: deque[Message | Gap] = deque()
        self._wake = wake
        self._close = close

    def put(self, entry: Message | Gap) -> None:
        self._entries.append(entry)
        self._wake()

    def take(self, limit: int) -> Sequence[Message | Gap]:
        return [self._entries.popleft() for _ in range(min(limit, len(self._entries)))]

    def close(self) -> None:
        self._close(self)


class MemoryBackend:
    """Keeps the last *keep* messages; answers requests and calls with the functions given, on threads."""

    def __init__(self, *, epoch: str | None = None, keep: int = 10_000) -> None:
        self.epoch = epoch or uuid.uuid4().hex[:8]
        self.requests: dict[str, Callable[[Any], Any]] = {}
        self.methods: dict[tuple[str, str], Callable[[Any], Any]] = {}
        self.denied: set[str] = set()
        self.undecided: dict[str, threading.Event] = {}
        self.asked: list[str] = []
        self._history: deque[Message] = deque(maxlen=keep)
        self._feeds: list[MemoryFeed] = []
        self._values: dict[Topic, tuple[Any, int]] = {}
        self._followers: dict[Topic, list[Callable[[Any, int], None]]] = {}
        self._numbers = itertools.count(1)
        self._seq = 0
        self._lock = threading.RLock()

    def publish(self, type: str, payload: Any = None, *, source: str = "core", target: str | None = None) -> Message:
        with self._lock:
            self._seq = next(self._numbers)
            now = int(time.time() * 1000)
            message = Message(
                id=f"m{self._seq}",
                type=type,
                source=source,
                payload=payload,
                timestamp=now,
                seq=self._seq,
                target=target,
            )
            self._history.append(message)
            for feed in self._feeds:
                feed.put(message)
            return message

    def lose(self, count: int) -> Gap:
        """Let *count* messages pass that neither feed nor history keeps."""
        with self._lock:
            start = self._seq
            for _ in range(count):
                self._seq = next(self._numbers)
            gap = Gap(start=self.cursor_of(start), end=self.cursor_of(self._seq))
            for feed in self._feeds:
                feed.put(gap)
            return gap

    @property
    def feeds(self) -> int:
        return len(self._feeds)

    def open_feed(self, wake: Callable[[], None]) -> MemoryFeed:
        with self._lock:
            feed = MemoryFeed(wake, self._feeds.remove)
            self._feeds.append(feed)
            return feed

    def position(self) -> int:
        return self._seq

    def cursor_of(self, seq: int) -> str:
        return f"{self.epoch}.{seq}"

    def seq_of(self, cursor: str) -> int:
        return int(cursor.rpartition(".")[2])

    def matches(self, pattern: str, type: str) -> bool:
        head, star, tail = pattern.partition("*")
        return type == pattern if not star else type.startswith(head) and type.endswith(tail)

    def may_see(self, identity: Identity, type: str) -> bool:
        self.asked.append(type)
        if type in self.undecided:
            assert self.undecided[type].wait(10)
        return type not in self.denied

    def replay(self, pattern: str | None, since: str | None, limit: int, upto: int | None = None) -> Replay:
        with self._lock:
            kept = [m for m in self._history if upto is None or m.seq <= upto]
            oldest = kept[0].seq if kept else self._seq + 1
        if since is None:
            return Replay(messages=[m for m in kept if pattern is None or self.matches(pattern, m.type)][-limit:])
        epoch, dot, number = since.rpartition(".")
        if not dot or not number.isdecimal():
            raise MalformedError(f"{since!r} is no cursor.")
        low = int(number) if epoch == self.epoch else -1
        gap = None
        if low < oldest - 1:
            low = oldest - 1
            gap = Gap(start=since, end=self.cursor_of(low))
        found = [m for m in kept if m.seq > low and (pattern is None or self.matches(pattern, m.type))]
        return Replay(messages=found[:limit], gap=gap)

    def send(
        self, identity: Identity, type: str, payload: Any, target: str | None, meta: Mapping[str, Any] | None
    ) -> Message:
        return self.publish(type, payload, source=f"user:{identity.user.id}", target=target)

    def request(self, identity: Identity, type: str, payload: Any, timeout: float | None) -> Future[Any]:
        if type not in self.requests:
            raise NoHandlerError(f"Nobody handles {type!r}.")
        return _on_thread(self.requests[type], payload)

    def call(self, identity: Identity, plugin: str, method: str, input: Any) -> Future[Any]:
        if (plugin, method) not in self.methods:
            raise MethodNotFoundError(f"{plugin!r} has no method {method!r}.")
        return _on_thread(self.methods[plugin, method], input)

    def set(self, topic: Topic, value: Any, version: int | None = None) -> None:
        with self._lock:
            last = self._values.get(topic, (None, 0))[1]
            self._values[topic] = (value, last + 1 if version is None else version)
            for changed in self._followers.get(topic, []):
                changed(*self._values[topic])

    def followers(self, topic: Topic) -> int:
        return len(self._followers.get(topic, []))

    def read(self, identity: Identity, topic: Topic) -> tuple[Any, int]:
        if topic not in self._values:
            raise NotFoundError(f"There is no {topic}.")
        return self._values[topic]

    def follow(self, topic: Topic, changed: Callable[[Any, int], None]) -> Undo:
        with self._lock:
            followers = self._followers.setdefault(topic, [])
            followers.append(changed)
            if topic in self._values:
                changed(*self._values[topic])
        return lambda: followers.remove(changed)


def _on_thread(function: Callable[[Any], Any], argument: Any) -> Future[Any]:
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(function(argument))
        except Exception as error:  # noqa: BLE001  # becomes the caller's
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future
