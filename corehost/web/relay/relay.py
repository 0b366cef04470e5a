"""The relay: every browser's socket, on one thread, between the bus and the browsers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from corehost.web.relay.backend import Backend, Identity
from corehost.web.relay.calls import Calls
from corehost.web.relay.catchup import CatchUp
from corehost.web.relay.client import GOING_AWAY, POLICY, Client, State
from corehost.web.relay.fanout import Fanout
from corehost.web.relay.frames import Scribe, notification
from corehost.web.relay.heartbeat import Heartbeat
from corehost.web.relay.history import Page, read_history
from corehost.web.relay.limits import RelayLimits
from corehost.web.relay.loop import Loop
from corehost.web.relay.methods import Methods
from corehost.web.relay.sse import HEAD, EventStream
from corehost.web.relay.streams import Streams
from corehost.web.relay.subscriptions import Audience, Group
from corehost.web.relay.takeover import Seized
from corehost.web.relay.verdicts import Verdicts
from corehost.web.relay.watches import Watches
from corehost.web.relay.websocket import Reader, WebSocket

resource: ModuleType | None
try:
    import resource
except ImportError:  # Windows knows no such limit
    resource = None

_WITHOUT_LIMIT = 100_000
_RESERVE = 64  # descriptors for requests, plugins' files and what else the host opens
_STOP_STEP = 0.01
_STOPS = "The host stops."

_log = logging.getLogger(__name__)


class Relay:
    """Holds browser sockets for *backend*; its public methods may be called from any thread.

    The thread starts with the first socket, so a relay made before a fork works after it. *reader* takes in what
    WebSockets say, where it is not the host's methods that answer: a test of the protocol alone needs an echo.
    """

    def __init__(self, backend: Backend, *, limits: RelayLimits | None = None, reader: Reader | None = None) -> None:
        self._backend = backend
        self._limits = limits or RelayLimits()
        self._loop = Loop("relay")
        self._calls = Calls(self._loop, self._limits.workers)
        self._verdicts = Verdicts(backend, self._calls, self._decided)
        self._audience = Audience(backend.matches)
        scribe = Scribe(backend.cursor_of)
        self._fanout = Fanout(
            self._loop, backend, self._audience, self._verdicts, scribe, self._limits, self._overtaken
        )
        self._catch_up = CatchUp(
            backend, self._calls, self._audience, self._verdicts, self._fanout, scribe, self._limits
        )
        self._heartbeat = Heartbeat(self._loop, self._limits)
        self._streams = Streams(self._catch_up)
        self._reader = reader or Methods(
            backend=backend,
            calls=self._calls,
            catch_up=self._catch_up,
            watches=Watches(self._loop, backend, self._calls),
            fanout=self._fanout,
            verdicts=self._verdicts,
            limits=self._limits,
        )
        self._clients: dict[Client, None] = {}
        self._lock = threading.Lock()
        self._arriving = 0
        self._started = False
        self._stopping = False
        self._most = self._limits.sockets if self._limits.sockets is not None else _most_sockets()

    def full(self) -> bool:
        """Tell whether no more sockets may be taken over: as many are held as may be, or the relay stops."""
        return self._stopping or self.sockets() >= self._most

    def sockets(self) -> int:
        """Return how many sockets are held, those that are closing included."""
        return self._arriving + self._loop.sockets

    def clients(self) -> list[Identity]:
        """Return who is connected, one entry a connection."""
        return [client.identity for client in list(self._clients)]

    def adopt_websocket(self, seized: Seized, identity: Identity) -> None:
        """Serve a WebSocket whose handshake is done."""
        client = WebSocket(seized.sock, identity, self._loop, self._limits, self._left, self._reader)
        self._adopt(partial(self._open_websocket, client, seized.early), client)

    def adopt_stream(self, seized: Seized, identity: Identity, patterns: Sequence[str], since: str | None) -> None:
        """Answer a request with server-sent events of *patterns*, after cursor *since* if there is one."""
        client = EventStream(seized.sock, identity, self._loop, self._limits, self._left)
        self._adopt(partial(self._open_stream, client, patterns, since), client)

    def history(self, identity: Identity, pattern: str | None, limit: int, since: str | None) -> Page:
        """Return messages that *identity* may see; the newest *limit*, or the oldest *limit* after *since*."""
        return read_history(self._backend, self._verdicts, identity, pattern, limit, since)

    def notify(self, session: str, method: str, params: Any) -> bool:
        """Send a notification to every connection of a browser session; return whether there is one."""
        block = notification(method, params)
        self._loop.post(lambda: self._write_to(session, block))
        return self.presence(f"session:{session}")

    def presence(self, target: str) -> bool:
        """Tell whether ``user:<id>`` or ``session:<id>`` has a connection."""
        return self._audience.present(target)

    def disconnect(self, *, session: str | None = None, user: str | None = None, reason: str = "Signed out.") -> None:
        """Close the connections of a browser session or of a user with 1008."""
        targets = [f"{kind}:{id}" for kind, id in (("session", session), ("user", user)) if id is not None]
        self._loop.post(lambda: self._close_all(targets, reason))

    def cut(self, identity: Identity, *, code: int = POLICY, reason: str = "Signed out.") -> None:
        """Close the connection of *identity*; one that is just being taken over, too."""
        self._loop.post(partial(self._cut, identity, code, reason))

    def forget_permissions(self) -> None:
        """Ask anew who may see what; to be called when grants, plugins or schemas have changed."""
        self._loop.post(self._verdicts.forget)

    def ask_stop(self) -> None:
        """Begin to stop; all clients are told 1001. May be called from a signal handler."""
        self._stopping = True
        self._loop.post(self._stop)

    def wait_stopped(self, timeout: float = 2.0) -> bool:
        """Wait until all sockets are closed; return whether they are."""
        return self._loop.join(timeout)

    def stop(self, timeout: float = 2.0) -> bool:
        """Stop, and wait for it."""
        self.ask_stop()
        return self.wait_stopped(timeout)

    def _adopt(self, begin: Callable[[], None], client: Client) -> None:
        with self._lock:
            self._arriving += 1
            if not self._started:
                self._started = True
                self._loop.post(self._heartbeat.start)
                self._loop.start()
        self._loop.post(partial(self._begin, begin, client))

    def _begin(self, begin: Callable[[], None], client: Client) -> None:
        with self._lock:
            self._arriving -= 1
        self._clients[client] = None
        self._audience.add(client)
        self._heartbeat.add(client)
        begin()
        if self._stopping:
            client.close(GOING_AWAY, _STOPS)

    def _open_websocket(self, client: WebSocket, early: bytes) -> None:
        self._reader.add(client)
        client.open(early)

    def _open_stream(self, client: EventStream, patterns: Sequence[str], since: str | None) -> None:
        client.write(HEAD)
        client.open(b"")
        if client.state is State.OPEN:
            self._streams.begin(client, patterns, since)

    def _left(self, client: Client) -> None:
        if self._clients.pop(client, client) is not None:
            return  # it never arrived
        self._audience.remove(client)
        if isinstance(client, WebSocket):
            self._reader.remove(client)
        else:
            self._streams.end(client)

    def _decided(self) -> None:
        self._fanout.unpark()
        self._catch_up.unparked()

    def _overtaken(self, group: Group, reached: int) -> None:
        self._catch_up.fall_back(group, reached)

    def _write_to(self, session: str, block: bytes) -> None:
        for client in self._audience.addressed(f"session:{session}"):
            if isinstance(client, WebSocket):
                client.write(block)

    def _close_all(self, targets: Sequence[str], reason: str) -> None:
        for target in targets:
            for client in self._audience.addressed(target):
                client.close(POLICY, reason)

    def _cut(self, identity: Identity, code: int, reason: str) -> None:
        for client in self._audience.addressed(f"user:{identity.user.id}"):
            if client.identity is identity:
                client.close(code, reason)

    def _stop(self) -> None:
        for client in list(self._clients):
            client.close(GOING_AWAY, _STOPS)
        self._loop.later(self._limits.close_wait, self._end)  # whoever was closing for being slow has longer
        self._stop_when_empty()

    def _stop_when_empty(self) -> None:
        if self._loop.sockets:
            self._loop.later(_STOP_STEP, self._stop_when_empty)
        else:
            self._end()

    def _end(self) -> None:
        self._calls.close()
        self._loop.stop()


def _most_sockets() -> int:
    """Return how many sockets may be held so that requests still get descriptors: EMFILE ends a gunicorn worker."""
    if resource is None:
        return _WITHOUT_LIMIT
    soft: int
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return _WITHOUT_LIMIT
    return max(1, soft - len(list(Path("/dev/fd").iterdir())) - max(_RESERVE, soft // 10))
