"""Find out, before serving, whether this server lets the relay take connections over."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import urllib3
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from corehost.contract.errors import CorehostError

_PATH = "/api/plugins/messages"
_TYPE = "host:check"
_SECONDS = 10.0


class TakeoverError(CorehostError):
    """The server in front of us closes or garbles the connections that the relay has taken over."""


def check_takeover(base_url: str, token: str) -> None:
    """Hold a WebSocket and an event stream to ourselves while another request is served, then use both.

    A server that still owned the connections would have closed them when their requests ended. Raises
    ``TakeoverError``.
    """
    headers = {"Authorization": f"Bearer {token}"}
    word = secrets.token_hex(8)
    try:
        with ExitStack() as closers:
            pool = closers.enter_context(closing(_Pool(base_url, headers)))
            browser = closers.enter_context(_browser(base_url, headers))
            _expect(browser, "session.welcome")
            events = pool.stream(f"{_PATH}?type={_TYPE}")
            pool.get("/healthz")
            _call(browser, "bus.send", {"type": _TYPE, "payload": word})
            if not any(word in part for part in events):
                raise TakeoverError("The event stream ended before its message came.")
    except (OSError, ValueError, urllib3.exceptions.HTTPError, WebSocketException, TakeoverError) as error:
        raise TakeoverError(
            f"Browsers' sockets do not survive on this server, so it cannot serve a host: {error} "
            "Run it by 'corehost serve', with gunicorn 27 and its thread worker."
        ) from error


class _Pool:
    def __init__(self, base_url: str, headers: dict[str, str]) -> None:
        self._base_url = base_url
        self._headers = headers
        self._manager = urllib3.PoolManager(timeout=_SECONDS, retries=False)

    def get(self, path: str) -> None:
        self._manager.request("GET", self._base_url + path)

    def stream(self, path: str) -> Iterator[str]:
        """Return the pieces of an event stream, as they come."""
        headers = {**self._headers, "Accept": "text/event-stream"}
        response = self._manager.request("GET", self._base_url + path, headers=headers, preload_content=False)
        if response.status != 200:
            raise TakeoverError(f"The event stream was answered with {response.status}.")
        return iter(lambda: response.read1(4_096).decode(), "")  # as it comes, until the stream ends

    def close(self) -> None:
        self._manager.clear()


def _browser(base_url: str, headers: dict[str, str]) -> ClientConnection:
    return connect(
        base_url.replace("http", "ws", 1) + _PATH,
        additional_headers=headers,
        subprotocols=["corehost.v1"],  # type: ignore[list-item]  # a NewType of str
        compression=None,
        open_timeout=_SECONDS,
        close_timeout=1.0,
        proxy=None,
    )


def _call(browser: ClientConnection, method: str, params: dict[str, Any]) -> None:
    browser.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
    answer = json.loads(browser.recv(timeout=_SECONDS))
    if "result" not in answer:
        raise TakeoverError(f"{method} was answered with {answer}.")


def _expect(browser: ClientConnection, method: str) -> None:
    notice = json.loads(browser.recv(timeout=_SECONDS))
    if notice.get("method") != method:
        raise TakeoverError(f"Not {method} came first, but {notice}.")
