"""Ask an isolated plugin's process for its pages, and let nothing pass that could reach beyond them."""

from __future__ import annotations

import dataclasses
import html
import re
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from flask import Blueprint, Response, abort, request
from markupsafe import Markup

from corehost.contract.errors import LateError, PluginFaultError
from corehost.contract.permissions import USER_READ
from corehost.contract.routes import RoutesSpec
from corehost.plugins.isolation.frames import BrokenFrameError, Frames, pack
from corehost.plugins.isolation.line import Line
from corehost.plugins.isolation.remote import user_to_json
from corehost.plugins.isolation.travel import error_from_json
from corehost.plugins.registry import Plugin
from corehost.web.isolated_wire import PIECE, read_body, send_body
from corehost.web.paths import local_target
from corehost.web.routing import PlannedRoute
from corehost.web.shell import Shell, user_of_request

_MOST_HTML: Final = 5_000_000
# Neither cookie nor authorization, nor what a proxy says of the visitor: the plugin is told who it is by permission.
_TO_WORKER: Final = (
    "REQUEST_METHOD",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "CONTENT_TYPE",
    "HTTP_HOST",
    "HTTP_ACCEPT",
    "HTTP_ACCEPT_LANGUAGE",
    "HTTP_USER_AGENT",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_RANGE",
    "HTTP_X_REQUESTED_WITH",
    "wsgi.url_scheme",
)
# Neither Set-Cookie nor a policy, nor whatever browsers may learn to obey.
_FROM_WORKER: Final = frozenset(
    {
        "accept-ranges",
        "allow",
        "cache-control",
        "content-disposition",
        "content-language",
        "content-length",
        "content-range",
        "content-type",
        "etag",
        "expires",
        "last-modified",
        "location",
        "retry-after",
    }
)
_STATUS: Final = re.compile(r"[2-5]\d\d( [\x20-\x7e]{0,100})?")
_VALUE: Final = re.compile(r"[\x20-\x7e]{0,2000}")
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_FRAME: Final = "allow-scripts allow-forms allow-top-navigation-by-user-activation"
"""What a framed page may do. Not ``allow-same-origin``: with it, the plugin's script could act as the visitor."""


def forwarded(
    spec: RoutesSpec, routes: Sequence[PlannedRoute], forward: Forward
) -> tuple[RoutesSpec, tuple[PlannedRoute, ...]]:
    """Return *spec* and *routes* of an isolated plugin with *forward* for all views."""
    asked = [dataclasses.replace(route, view=forward, guards=(), layouts=()) for route in routes]
    if spec.blueprint is None:
        return spec, tuple(asked)
    everything = Blueprint(forward.plugin_id, __name__)
    for rule in ("/", "/<path:_rest>"):
        everything.add_url_rule(rule, "page", forward, methods=_METHODS)
    return dataclasses.replace(spec, blueprint=everything), tuple(asked)


class Forward:
    """The view of every page of one isolated plugin, whose process may keep silent for *seconds*."""

    def __init__(self, plugin: Plugin, line: Line, shell: Shell, *, seconds: float) -> None:
        self.plugin_id = plugin.id
        self._plugin = plugin
        self._line = line
        self._shell = shell
        self._seconds = seconds

    def __call__(self, **_params: Any) -> Response:
        """Return the worker's answer, HTML inside of a frame."""
        asking = _Asking(self._line, self._seconds)
        try:
            head = asking.send(_head(self._plugin), _body())
            if "abort" in head:
                code, text = head["abort"]
                abort(code if isinstance(code, int) and 400 <= code <= 599 else 500, str(text)[:1_000])
            if "error" in head:
                raise error_from_json(head["error"])
            return self._passed_on(head, asking)
        except BaseException:
            asking.close()
            raise

    def _passed_on(self, head: Mapping[str, Any], asking: _Asking) -> Response:
        status, headers = _checked(head)
        kind = next((value for name, value in headers if name == "content-type"), "application/octet-stream")
        if kind.partition(";")[0].strip().lower() == "text/html":
            page = self._framed(asking.whole(_MOST_HTML).decode("utf-8", "replace"))
            kept = [(n, v) for n, v in headers if n not in ("content-type", "content-length", "etag")]
            return Response(page, status, kept, mimetype="text/html")
        response = Response(asking.rest(), status, headers)
        # Whatever it is: opened by itself, it is a document of no origin, without scripts.
        response.headers["Content-Security-Policy"] = "sandbox"
        return response

    def _framed(self, page: str) -> str:
        plugin = self._plugin
        name = plugin.manifest.name if plugin.manifest else plugin.id
        # The base sends links to the whole window: inside of a frame without an origin no cookie would go with them.
        inside = html.escape(f'<!doctype html><base target="_top">{page}')
        title = html.escape(name)
        held = f'class="isolated" width="100%" height="720" sandbox="{_FRAME}"'
        frame = f'<iframe {held} title="{title}" srcdoc="{inside}"></iframe>'
        return self._shell.lay_out(Markup(frame), title=name, plugin_id=plugin.id)  # noqa: S704  # escaped above


class _Asking:
    """One request to a worker; closed when the last of the answer was read, or early."""

    def __init__(self, line: Line, seconds: float) -> None:
        self._id = line.process.plugin_id
        self._seconds = seconds
        self._lent = line.lend()
        self._connection: socket.socket | None = None
        try:
            self._connection = line.process.connect(seconds)
        except BaseException:
            self.close()
            raise
        self._frames = Frames(self._connection)

    def send(self, head: dict[str, Any], body: Iterable[bytes]) -> Mapping[str, Any]:
        """Send a request and return the head of the answer."""
        assert self._connection is not None
        connection, whole_head = self._connection, pack({**head, "during": self._lent.number})

        def exchange() -> Any:
            connection.sendall(whole_head)
            send_body(connection, body)
            return self._frames.next()

        answer = self._guarded(exchange)
        if not isinstance(answer, dict):
            raise PluginFaultError(f"The process of plugin {self._id!r} sent no response.")
        return answer

    def rest(self) -> Iterator[bytes]:
        """Yield the answer's body, then close."""
        try:
            pieces = read_body(self._frames)
            while (piece := self._guarded(lambda: next(pieces, None))) is not None:
                yield piece
        finally:
            self.close()

    def whole(self, most: int) -> bytes:
        """Return the answer's body of at most *most* bytes."""
        data = bytearray()
        for piece in self.rest():
            data += piece
            if len(data) > most:
                raise PluginFaultError(f"A page of plugin {self._id!r} has more than {most} bytes.")
        return bytes(data)

    def close(self) -> None:
        """Give everything back; a second call does nothing more."""
        self._lent.close()
        if self._connection is not None:
            self._connection.close()

    def _guarded(self, read: Any) -> Any:
        try:
            return read()
        except TimeoutError as error:
            raise LateError(f"Plugin {self._id!r} did not go on with its page for {self._seconds:g} s.") from error
        except (OSError, EOFError, BrokenFrameError) as error:
            raise PluginFaultError(f"The process of plugin {self._id!r} broke its page off.") from error


def _head(plugin: Plugin) -> dict[str, Any]:
    environ = {name: request.environ[name] for name in _TO_WORKER if name in request.environ}
    user = user_of_request() if USER_READ in plugin.granted else None
    return {"environ": environ, "user": user_to_json(user)}


def _body() -> Iterator[bytes]:
    while piece := request.stream.read(PIECE):
        yield piece


def _checked(head: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    """Return status and headers, without those that no plugin may set; raises ``PluginFaultError``."""
    status, headers = head.get("status"), head.get("headers")
    if not isinstance(status, str) or not _STATUS.fullmatch(status) or not isinstance(headers, list):
        raise PluginFaultError("The plugin's process sent no HTTP response.")
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        lower = str(name).lower()
        if lower not in _FROM_WORKER or not _VALUE.fullmatch(str(value)):
            continue
        kept.append((lower, _own_location(str(value)) if lower == "location" else str(value)))
    return status, kept


def _own_location(value: str) -> str:
    """Return where a redirect leads: a path on this host, whatever the plugin wished."""
    if (own := value.removeprefix(request.host_url.rstrip("/"))) != value or value.startswith("/"):
        return local_target(own or "/")
    raise PluginFaultError("A page of the plugin leads away from this host, which is not allowed.")
