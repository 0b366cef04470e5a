"""Serve a host by gunicorn: one worker process, which builds the host after the fork."""

from __future__ import annotations

import atexit
import os
import resource
import signal
import sys
from typing import Any, NoReturn

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError

from corehost.contract.errors import CorehostError
from corehost.web.bulkhead import WAITING_ROOM
from corehost.web.gate import Wsgi
from corehost.web.server import CreateHost, OnListening, Running, ServeSettings
from corehost.web.worker import HostWorker, QuietLogger

_WORKER_GRACE = 10
"""Seconds in which requests may finish when the host stops; then its plugins are torn down."""
_ARBITER_GRACE = 40
_SILENCE = 120
"""Seconds after which a worker that does nothing at all, not even look at its sockets, is replaced."""
_DESCRIPTORS = 65_536


def serve(settings: ServeSettings, create_host: CreateHost, on_listening: OnListening) -> int:
    """Serve until told to stop, and return the exit code."""
    _raise_descriptor_limit()
    parent, code = os.getpid(), 0
    try:
        _Application(settings, create_host, on_listening).run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    if os.getpid() != parent:  # gunicorn ends its worker by the same exception
        _leave(code & 0xFF)
    return code


class _Application(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    def __init__(self, settings: ServeSettings, create_host: CreateHost, on_listening: OnListening) -> None:
        self._settings = settings
        self._create_host = create_host
        self._on_listening = on_listening
        self._port = settings.port
        self._running: Running | None = None
        super().__init__()

    def load_config(self) -> None:
        """Set what gunicorn shall do; neither its files nor its variables are read."""
        host = self._settings.host
        bind = f"[{host.strip('[]')}]" if ":" in host else host
        values = {
            "bind": f"{bind}:{self._settings.port}",
            "workers": 1,
            "worker_class": HostWorker,
            "threads": self._settings.threads + WAITING_ROOM,
            "worker_connections": 20_000,
            "preload_app": False,
            "max_requests": 0,
            "control_socket_disable": True,
            "keepalive": 75,
            "timeout": _SILENCE,
            "graceful_timeout": _ARBITER_GRACE,
            "loglevel": "warning",
            "logger_class": QuietLogger,
            "limit_request_line": 8_190,
            # The gate decides whose word on a visitor holds. gunicorn would believe any program on this machine, and
            # let it name scheme, path and script by headers of their names.
            "forwarded_allow_ips": "",
            "forwarder_headers": "",
            "secure_scheme_headers": {},
            "when_ready": self._announce,
            "post_worker_init": self._begin,
            "worker_exit": self._end,
            "proc_name": "corehost",
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> Wsgi:
        """Build the host; called in the worker process, so that its threads live there."""
        try:
            host = self._create_host(self._port)
        except CorehostError as error:
            raise AppImportError(error.text) from error  # the arbiter prints it and ends, with no second try
        self._running = Running(host, refuse=_refuse)
        self._stop_soon = host.stop_soon
        return host.wsgi

    def run(self) -> None:
        """Run until told to stop; ends by ``SystemExit``."""
        _HostArbiter(self).run()

    def _announce(self, arbiter: Any) -> None:
        self._port = arbiter.LISTENERS[0].getsockname()[1]
        self._on_listening(self._port)

    def _begin(self, worker: Any) -> None:
        assert self._running is not None
        worker.cfg.set("graceful_timeout", _WORKER_GRACE)
        finish = signal.getsignal(signal.SIGTERM)
        assert callable(finish)

        def end(_number: int, frame: Any) -> None:
            self._stop_soon()  # browsers hear of the end before requests have finished
            finish(signal.SIGTERM, frame)

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)  # Ctrl-C reaches this process too; the arbiter's word is the same
        signal.signal(signal.SIGHUP, self._running.reload)
        atexit.register(self._running.stop)
        self._running.begin()

    def _end(self, _arbiter: Any, _worker: Any) -> None:
        if self._running is not None:
            self._running.stop()


class _HostArbiter(Arbiter):  # type: ignore[misc]  # gunicorn ships no types
    """An arbiter of exactly one worker, which is never replaced while it is well."""

    def handle_hup(self) -> None:
        """Let the worker read its settings again."""
        self.kill_workers(signal.SIGHUP)

    def handle_int(self) -> None:
        """Stop as on SIGTERM; a second Ctrl-C does not wait for requests."""
        raise StopIteration

    def handle_ttin(self) -> None:
        """Stay with one worker: state and sockets live in it."""

    handle_ttou = handle_usr2 = handle_winch = handle_ttin


def _leave(code: int) -> NoReturn:
    """End the worker here: it must not go on as the command that started the arbiter, nor wait for stuck requests."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _refuse(text: str) -> None:
    """End the worker so that the arbiter ends, too, and does not start another."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
    os._exit(Arbiter.APP_LOAD_ERROR)


def _raise_descriptor_limit() -> None:
    """Take what the system lets us: each browser holds a descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
