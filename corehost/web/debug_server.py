"""Serve a host by werkzeug: for development, and on Windows."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler, make_server

from corehost.contract.errors import CorehostError
from corehost.web.gate import Wsgi
from corehost.web.server import CreateHost, OnListening, Running, ServeSettings

_REFUSED = 4


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # werkzeug leaves Nagle on, which holds small frames back for 40 ms

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log no line for each request; the host's own log says what matters."""


class _Late:
    """The WSGI callable before the host exists: the port must be bound first, as the host is told of it."""

    def __init__(self) -> None:
        self.wsgi: Wsgi | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        assert self.wsgi is not None
        return self.wsgi(environ, start_response)


def serve(settings: ServeSettings, create_host: CreateHost, on_listening: OnListening) -> int:
    """Serve until told to stop, and return the exit code."""
    late = _Late()
    server = make_server(settings.host, settings.port, late, threaded=True, request_handler=_Handler)
    assert isinstance(server, ThreadedWSGIServer)
    server.daemon_threads = True
    try:
        host = create_host(server.server_port)
    except CorehostError as error:
        return _refuse(error.text)
    late.wsgi = host.wsgi
    refusals: list[str] = []

    def end(*_: Any) -> None:
        host.stop_soon()
        threading.Thread(target=server.shutdown, name="corehost-end", daemon=True).start()

    def refuse(text: str) -> None:
        refusals.append(text)
        end()

    running = Running(host, refuse=refuse)
    _listen_to_signals(end, running)
    on_listening(server.server_port)
    running.begin()
    with server:
        server.serve_forever()
    running.stop()
    return _refuse(refusals[0]) if refusals else 0


def _listen_to_signals(end: Any, running: Running) -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGTERM", "SIGINT"):
        signal.signal(getattr(signal, name), end)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, running.reload)


def _refuse(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return _REFUSED
