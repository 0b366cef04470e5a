"""Serve a host: by gunicorn, one worker process with threads, or by werkzeug for development."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol

from corehost.contract.errors import CorehostError
from corehost.plugins.garbage import growing
from corehost.web.gate import Wsgi

SWITCH_SECONDS = 0.0005
"""How long one thread may compute while others wait; Python's 5 ms let one computing plugin delay all browsers."""


class ServedHost(Protocol):
    """What is served.

    ``start`` blocks until every plugin was tried, on a thread of its own, while requests are served already; it
    raises ``CorehostError`` to refuse. ``stop_soon`` is called in a signal handler, ``stop`` once after the last
    request, ``reload`` on SIGHUP.
    """

    @property
    def wsgi(self) -> Wsgi: ...
    def start(self) -> None: ...
    def stop_soon(self) -> None: ...
    def stop(self) -> None: ...
    def reload(self) -> None: ...


class ServeSettings(Protocol):
    """What serving needs to know."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def threads(self) -> int: ...
    @property
    def debug(self) -> bool: ...


CreateHost = Callable[[int], ServedHost]
"""Makes the host, in the process that serves it, given the port that is bound."""
OnListening = Callable[[int], Any]


def serve(settings: ServeSettings, create_host: CreateHost, on_listening: OnListening) -> int:
    """Serve until told to stop, and return the exit code: 0, or another if the host refused to start.

    *on_listening* is called with the bound port as soon as connections are taken.
    """
    if settings.debug or sys.platform == "win32":
        from corehost.web import debug_server  # noqa: PLC0415  # only one of the two is ever needed

        return debug_server.serve(settings, create_host, on_listening)
    from corehost.web import gunicorn_server  # noqa: PLC0415  # it cannot be imported on Windows

    return gunicorn_server.serve(settings, create_host, on_listening)


class Running:
    """A host that is being served: started, told of signals, stopped once."""

    def __init__(self, host: ServedHost, *, refuse: Callable[[str], Any]) -> None:
        self._host = host
        self._refuse = refuse
        self._lock = threading.Lock()
        self._is_stopped = False

    def begin(self) -> None:
        """Start the host on a thread of its own."""
        sys.setswitchinterval(SWITCH_SECONDS)
        threading.Thread(target=self._start, name="corehost-start", daemon=True).start()

    def reload(self, *_: Any) -> None:
        """Let the host read its settings again, on a thread, as signal handlers must return at once."""
        threading.Thread(target=self._host.reload, name="corehost-reload", daemon=True).start()

    def stop(self) -> None:
        """Stop the host; a second call does nothing more."""
        with self._lock:
            if self._is_stopped:
                return
            self._is_stopped = True
        self._host.stop()

    def _start(self) -> None:
        try:
            with growing():
                self._host.start()
        except CorehostError as error:
            self._refuse(error.text)
