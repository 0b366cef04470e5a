"""What a browser may ask for, method by method."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from corehost.contract.errors import BusyError, CorehostError, Fault, InvalidError, NotFoundError
from corehost.web.problems import rpc_error
from corehost.web.relay import protocol
from corehost.web.relay.backend import Backend, Topic
from corehost.web.relay.calls import Calls
from corehost.web.relay.catchup import CatchUp
from corehost.web.relay.client import UNSUPPORTED
from corehost.web.relay.fanout import Fanout
from corehost.web.relay.frames import failure, notification, result
from corehost.web.relay.history import read_history
from corehost.web.relay.limits import RelayLimits
from corehost.web.relay.protocol import Param, Request, RpcError
from corehost.web.relay.rates import Rates
from corehost.web.relay.subscriber import Subscriber
from corehost.web.relay.subscriptions import Interest
from corehost.web.relay.verdicts import Verdicts
from corehost.web.relay.watches import Watch, Watches
from corehost.web.relay.websocket import WebSocket

_HISTORY = 100

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class Peer(Subscriber):
    """A browser's WebSocket with all that it has asked for."""

    client: WebSocket
    watches: dict[str, Watch] = field(default_factory=dict)
    running: set[Future[Any]] = field(default_factory=set)
    in_flight: int = 0
    sends: int = 0
    asked: int = 0

    def name(self, prefix: str) -> str:
        """Return a name that this connection has not used before."""
        self.asked += 1
        return f"{prefix}{self.asked}"


Answer = Callable[["Future[Any]"], None]
Method = Callable[[Peer, Mapping[str, Any], Answer], None]


class Methods:
    """Answers the requests of all browsers; what may take time is called beside the loop."""

    def __init__(
        self,
        *,
        backend: Backend,
        calls: Calls,
        catch_up: CatchUp,
        watches: Watches,
        fanout: Fanout,
        verdicts: Verdicts,
        limits: RelayLimits,
    ) -> None:
        self._backend = backend
        self._calls = calls
        self._catch_up = catch_up
        self._watches = watches
        self._fanout = fanout
        self._verdicts = verdicts
        self._limits = limits
        self._rates = Rates(limits)
        self._peers: dict[WebSocket, Peer] = {}
        self._methods = self._table()

    def add(self, client: WebSocket) -> None:
        """Serve *client* from now on; the host speaks first."""
        self._peers[client] = Peer(client=client)
        user = client.identity.user
        params = {
            "session": client.identity.session,
            "user": {"id": user.id, "roles": list(user.roles)},
            "cursor": self._backend.cursor_of(self._fanout.position),
            "heartbeat": int(self._limits.heartbeat * 1_000),
        }
        client.write(notification("session.welcome", params))

    def remove(self, client: WebSocket) -> None:
        """End all that *client* has asked for."""
        peer = self._peers.pop(client)
        self._catch_up.forget(peer)
        for watch in peer.watches.values():
            self._watches.end(watch)
        for future in list(peer.running):
            future.cancel()

    def text(self, client: WebSocket, text: str) -> None:
        """Answer one request."""
        try:
            request = protocol.read_request(text, self._limits.json_depth)
        except RpcError as error:
            client.write(failure(error.id, {"code": error.code, "message": error.text}))
            return
        answer = partial(self._answer, client, request)
        if not self._rates.allows(client.identity):
            self._refuse(client, request, protocol.TOO_FAST, "Too many messages; send fewer a second.")
        elif (known := self._methods.get(request.method)) is None:
            self._refuse(client, request, protocol.NO_METHOD, f"There is no method {request.method[:100]!r}.")
        else:
            params, method = known
            try:
                protocol.check_params(params, request.params)
                method(self._peers[client], request.params, answer)
            except CorehostError as error:
                answer(_failed(error))

    def binary(self, client: WebSocket, data: bytes) -> None:
        """Refuse what is no text."""
        client.close(UNSUPPORTED, "Only text is spoken here.")

    def _table(self) -> dict[str, tuple[Mapping[str, Param], Method]]:
        name, type_ = Param(check=protocol.text, required=True), Param(check=protocol.pattern, required=True)
        text, any_ = Param(check=protocol.text), Param(check=protocol.anything)
        send = {"type": type_, "payload": any_, "target": text, "meta": Param(check=protocol.json_object)}
        ask = {"type": type_, "payload": any_, "timeout": Param(check=protocol.timeout)}
        look = {"type": Param(check=protocol.pattern), "limit": Param(check=protocol.limit), "since": text}
        subscribe = {"type": type_, "source": Param(check=protocol.sources), "since": text}
        return {
            "bus.subscribe": (subscribe, self._subscribe),
            "bus.unsubscribe": ({"subscription": name}, self._unsubscribe),
            "bus.send": (send, self._send),
            "bus.request": (ask, self._request),
            "bus.history": (look, self._history),
            "plugins.call": ({"plugin": name, "method": name, "input": any_}, self._call),
            "state.watch": ({"plugin": text, "store": text, "key": text}, self._watch),
            "state.unwatch": ({"watch": name}, self._unwatch),
            "ping": ({}, self._ping),
        }

    def _subscribe(self, peer: Peer, params: Mapping[str, Any], answer: Answer) -> None:
        if len(peer.subscriptions) >= self._limits.subscriptions:
            raise BusyError(f"A connection holds at most {self._limits.subscriptions} subscriptions.")
        source = params.get("source")
        sources = None if source is None else frozenset([source] if isinstance(source, str) else source)
        interest = Interest(pattern=params["type"], sources=sources)
        id = peer.name("s")
        begun: Answer = partial(_transformed, answer, lambda cursor: {"subscription": id, "cursor": cursor})
        if params.get("since") is not None:
            begun = self._counted(peer, begun)
        self._catch_up.begin(peer, id, frozenset([interest]), params.get("since"), begun)

    def _unsubscribe(self, peer: Peer, params: Mapping[str, Any], answer: Answer) -> None:
        if not self._catch_up.end(peer, params["subscription"]):
            raise NotFoundError(f"This connection has no subscription {params['subscription']!r}.")
        answer(_done({}))

    def _send(self, peer: Peer, params: Mapping[str, Any], answer: Answer) -> None:
        peer.sends += 1
        if peer.sends >= self._limits.sends:
            peer.client.pause(True)  # the sender waits in TCP; nothing is refused and nothing piles up here

        def sent(message: Future[Any]) -> None:
            peer.sends -= 1
            if peer.client.paused and peer.sends <= self._limits.sends // 2:
                peer.client.pause(False)
            _transformed(answer, lambda value: {"message": value}, message)

        identity, payload = peer.client.identity, params.get("payload")
        run = partial(self._backend.send, identity, params["type"], payload, params.get("target"), params.get("meta"))
        self._calls.submit(peer.calls, run, sent)

    def _request(self, peer: Peer, params: Mapping[str, Any], answer: Answer) -> None:
        ask = partial(self._backend.request, peer.client.identity, params["type"], params.get("payload"))
        self._run(peer, partial(ask, params.get("timeout")), partial(_transformed, answer, lambda v: {"response": v}))

    def _call(self, peer: Peer, params: Mapping[str, Any], answer: Answer) -> None:
        call = partial(self._backend.call, peer.client.identity, params["plugin"], params["method"])
        self._run(peer, partial(call, params.get("input")), partial(_transformed, answer, lambda v: {"result": v}))

    def _history(self, peer: Peer, params: Mapping[str, Any], answer: Answer) -> None:
        pattern, limit, since = params.get("type"), params.get("limit", _HISTORY), params.get("since")
        run = partial(read_history, self._backend, self._verdicts, peer.client.identity, pattern, limit, since)
        self._run(peer, run, partial(_transformed, answer, lambda page: page.to_json()))

    def _watch(self, peer: Peer, params: Mapping[str, Any], answer: Answer) -> None:
        topic = _topic_of(params)
        if len(peer.watches) >= self._limits.watches:
            raise BusyError(f"A connection holds at most {self._limits.watches} watches.")
        id = peer.name("w")

        def begun(read: Future[Any]) -> None:
            if read.exception() is not None:
                peer.watches.pop(id, None)
            _transformed(answer, lambda pair: {"watch": id, "value": pair[0], "version": pair[1]}, read)

        counted = self._counted(peer, begun)
        peer.watches[id] = self._watches.begin(peer.client, peer.calls, topic, counted)

    def _unwatch(self, peer: Peer, params: Mapping[str, Any], answer: Answer) -> None:
        watch = peer.watches.pop(params["watch"], None)
        if watch is None:
            raise NotFoundError(f"This connection has no watch {params['watch']!r}.")
        self._watches.end(watch)
        answer(_done({}))

    def _ping(self, peer: Peer, params: Mapping[str, Any], answer: Answer) -> None:
        """Answer with the cursor up to which this connection has been sent everything it subscribes to."""
        behind = peer.subscriptions and not peer.live
        answer(_done({"cursor": None if behind else self._backend.cursor_of(self._fanout.position)}))

    def _run(self, peer: Peer, run: Callable[[], Any], done: Answer) -> None:
        counted = self._counted(peer, done)

        def tracked() -> Any:
            value = run()
            if isinstance(value, Future):
                peer.running.add(value)
                value.add_done_callback(peer.running.discard)
            return value

        self._calls.submit(peer.calls, tracked, counted)

    def _counted(self, peer: Peer, done: Answer) -> Answer:
        """Count a call until it is answered; raises ``BusyError`` if the connection has too many."""
        if peer.in_flight >= self._limits.in_flight:
            raise BusyError(f"{peer.in_flight} calls of this connection are unanswered. Wait for them.")
        peer.in_flight += 1

        def counted(outcome: Future[Any]) -> None:
            peer.in_flight -= 1
            done(outcome)

        return counted

    def _answer(self, client: WebSocket, request: Request, outcome: Future[Any]) -> None:
        if not request.answered or outcome.cancelled():
            return
        error = outcome.exception()
        try:
            block = result(request.id, outcome.result()) if error is None else None
        except (TypeError, ValueError, RecursionError) as unwritable:
            block, error = None, unwritable
        if block is None:
            assert error is not None
            if not isinstance(error, CorehostError):
                _log.error("Method %s failed.", request.method, exc_info=error)
            block = failure(request.id, rpc_error(error))
        client.write(block)

    def _refuse(self, client: WebSocket, request: Request, code: int, text: str) -> None:
        if request.answered:
            client.write(failure(request.id, {"code": code, "message": text}))


def _topic_of(params: Mapping[str, Any]) -> Topic:
    if params.keys() in ({"plugin", "store"}, {"key"}):
        return Topic(**params)
    raise InvalidError(
        "A watch is of one store or one key.", [Fault(path="", message="Give 'plugin' and 'store', or 'key' alone.")]
    )


def _transformed(answer: Answer, change: Callable[[Any], Any], outcome: Future[Any]) -> None:
    if outcome.cancelled() or outcome.exception() is not None:
        answer(outcome)
    else:
        answer(_done(change(outcome.result())))


def _done(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def _failed(error: BaseException) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future
