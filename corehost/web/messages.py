"""The resource ``/api/plugins/messages``: the bus over WebSocket, server-sent events and plain HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from flask import Blueprint, Response, request
from flask.blueprints import BlueprintSetupState
from flask_sock import Sock
from simple_websocket import Server

from corehost.contract.errors import MalformedError
from corehost.web.caller import Caller, require_caller
from corehost.web.failures import problem_response
from corehost.web.relay import protocol, takeover
from corehost.web.relay.backend import Backend, Identity
from corehost.web.relay.frames import encode
from corehost.web.relay.protocol import Param
from corehost.web.relay.relay import Relay

PATH = "/api/plugins/messages"
SUBPROTOCOL = "corehost.v1"
EVENTS = "text/event-stream"
_HISTORY = 100
_PATTERNS = 32
_DEPTH = 64
_SEND = {
    "type": Param(check=protocol.pattern, required=True),
    "payload": Param(check=protocol.anything),
    "target": Param(check=protocol.text),
    "meta": Param(check=protocol.json_object),
}
_READ = {
    "type": Param(check=protocol.pattern),
    "limit": Param(check=protocol.limit),
    "since": Param(check=protocol.text),
}

Identify = Callable[[Caller], Identity]


def messages_blueprint(
    relay: Relay, backend: Backend, identify: Identify, adopted: Callable[[Identity], Any] = lambda _: None
) -> Blueprint:
    """Return the resource; *identify* tells who a caller is to the relay.

    *adopted* is told of each connection that the relay has taken over.
    """
    resource = _Messages(relay, backend, identify, adopted)
    blueprint = Blueprint("messages", __name__)
    blueprint.record(_configure_sock)
    blueprint.before_request(resource.refuse_handshake)
    blueprint.register_error_handler(_TakenError, lambda _: _Taken())
    blueprint.add_url_rule(PATH, "read", resource.read, methods=["GET"])
    blueprint.add_url_rule(PATH, "send", resource.send, methods=["POST"])
    Sock().route(PATH, bp=blueprint)(resource.websocket)
    return blueprint


class _NoThread:
    """Stands where simple-websocket would start a thread for each connection; the relay reads instead."""

    name = ""

    def __init__(self, **_: Any) -> None: ...

    def start(self) -> None:
        """Start nothing."""


class _Taken(Response):
    """The response to a request whose connection the relay has: nothing more is sent."""

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if "werkzeug.socket" in environ:
            return super().__call__(environ, start_response)  # goes to the dead socket that took the place
        raise StopIteration  # gunicorn's sign that the connection is not its own any more


class _TakenError(Exception):
    """Not a fault: the relay has the connection of this request."""


class _Messages:
    def __init__(self, relay: Relay, backend: Backend, identify: Identify, adopted: Callable[[Identity], Any]) -> None:
        self._relay = relay
        self._adopted = adopted
        self._backend = backend
        self._identify = identify

    def refuse_handshake(self) -> Response | None:
        """Answer a WebSocket handshake that cannot be served, before a byte of it is."""
        if not _is_websocket():
            return None
        require_caller(request.environ)
        environ = request.environ
        return _refused(takeover.handshake_refusal(environ) or takeover.refusal(environ, full=self._relay.full()))

    def websocket(self, _: Server) -> NoReturn:
        """Hand the connection, its handshake done, to the relay; raises ``_TakenError``."""
        identity = self._caller()
        self._relay.adopt_websocket(takeover.seize(request.environ), identity)
        self._adopted(identity)
        # If this returned, flask-sock would say farewell to the client and make a class for this one response, which is
        # an eighth of a handshake with what the collector then has to do.
        raise _TakenError

    def read(self) -> Response:
        """Stream messages, or return those of the history."""
        identity = self._caller()
        if request.accept_mimetypes.best_match(["application/json", EVENTS]) == EVENTS:
            return self._stream(identity)
        values = _query()
        limit, since = values.get("limit", _HISTORY), values.get("since")
        return _json(self._relay.history(identity, values.get("type"), limit, since).to_json())

    def send(self) -> Response:
        """Publish a message; 202, because nobody waits for its handlers."""
        identity = self._caller()
        values = _body()
        protocol.check_params(_SEND, values)
        target, meta = values.get("target"), values.get("meta")
        return _json(self._backend.send(identity, values["type"], values.get("payload"), target, meta), 202)

    def _stream(self, identity: Identity) -> Response:
        patterns = request.args.getlist("type") or ["*"]
        since = request.headers.get("Last-Event-ID") or request.args.get("since") or None
        if len(patterns) > _PATTERNS:
            raise MalformedError(f"At most {_PATTERNS} types can be asked for in one stream.")
        for pattern in patterns:
            protocol.check_params(_READ, {"type": pattern} if since is None else {"type": pattern, "since": since})
        if since is not None:
            self._backend.replay(patterns[0], since, 1)  # raises for what is no cursor, while an answer is possible
        if refused := _refused(takeover.refusal(request.environ, full=self._relay.full())):
            return refused
        if request.method == "HEAD":
            return Response(mimetype=EVENTS)
        self._relay.adopt_stream(takeover.seize(request.environ), identity, patterns, since)
        self._adopted(identity)
        return _Taken()

    def _caller(self) -> Identity:
        return self._identify(require_caller(request.environ))


def _configure_sock(state: BlueprintSetupState) -> None:
    options = {"thread_class": _NoThread, "subprotocols": [SUBPROTOCOL]}
    state.app.config.setdefault("SOCK_SERVER_OPTIONS", options)


def _is_websocket() -> bool:
    return request.url_rule is not None and bool(request.url_rule.websocket)


def _refused(refusal: takeover.Refusal | None) -> Response | None:
    if refusal is None:
        return None
    document = {
        "type": "urn:corehost:problem:no-connection",
        "title": "No live connection",
        "status": refusal.status,
        "detail": refusal.text,
    }
    response = problem_response(document)
    response.headers.update(refusal.headers)
    return response


def _query() -> Mapping[str, Any]:
    values: dict[str, Any] = {name: request.args[name] for name in request.args if request.args[name] != ""}
    if "limit" in values:
        values["limit"] = _whole(values["limit"])
    protocol.check_params(_READ, values)
    return values


def _whole(text: str) -> int | str:
    return int(text) if len(text) <= 9 and text.lstrip("-").isdecimal() and text.isascii() else text


def _body() -> Mapping[str, Any]:
    values = protocol.read_json(request.get_data(as_text=False), _DEPTH)
    if not isinstance(values, dict):
        raise MalformedError("The body must be a JSON object with 'type' and, if wanted, 'payload', 'target', 'meta'.")
    return values


def _json(value: Any, status: int = 200) -> Response:
    return Response(encode(value), status, mimetype="application/json")
