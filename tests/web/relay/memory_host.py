"""A Flask app with the relay behind it, served by werkzeug or gunicorn; run as a script it prints its port."""

from __future__ import annotations

import argparse
import atexit
import json
import os
import signal
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flask import Flask, Response, request, send_from_directory
from werkzeug.serving import make_server

import corehost.web
from corehost.contract.errors import CorehostError
from corehost.contract.permissions import PermissionSet
from corehost.contract.user import UserContext
from corehost.web.caller import Caller, set_caller
from corehost.web.failures import problem_response
from corehost.web.messages import messages_blueprint
from corehost.web.problems import problem_document
from corehost.web.relay.backend import Identity, Topic
from corehost.web.relay.limits import RelayLimits
from corehost.web.relay.relay import Relay
from corehost.web.relay.websocket import Reader
from tests.web.relay.echo import Echo
from tests.web.relay.memory_backend import MemoryBackend

STATIC = Path(corehost.web.__file__).parent / "static"


def identify(caller: Caller) -> Identity:
    is_admin = "*" in caller.user.permissions
    return Identity(
        user=caller.user,
        session=caller.session,
        view=caller.user.permissions,
        tool=is_admin and caller.via == "token",
    )


def caller_named(name: str) -> Caller | None:
    """``nobody``; ``admin`` is an administrator's token; ``<user>/<session>`` is a browser."""
    if name == "nobody":
        return None
    user, _, session = name.partition("/")
    held = PermissionSet({"*"} if user == "admin" else set())
    context = UserContext(id=user, permissions=held)
    return Caller(user=context, session=session or None, via="cookie" if session else "token")


class MemoryHost:
    """One app, its relay and its backend."""

    def __init__(self, backend: MemoryBackend, limits: RelayLimits, reader: Reader | None = None) -> None:
        self.backend = backend
        self.relay = Relay(backend, limits=limits, reader=reader)
        self.app = Flask("memory_host", static_folder=None)
        self.app.register_blueprint(messages_blueprint(self.relay, backend, identify))
        self.app.register_error_handler(CorehostError, lambda error: problem_response(problem_document(error)))
        self.app.add_url_rule("/page", "page", lambda: "a page")
        self.app.add_url_rule("/static/corehost/<name>", "static", lambda name: send_from_directory(STATIC, name))
        self.app.add_url_rule("/slow", "slow", self._slow)
        self.app.add_url_rule("/burst", "burst", self._burst, methods=["POST"])
        self.app.add_url_rule("/figures", "figures", self._figures)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        named = environ.get("HTTP_X_CALLER") or _query_value(environ, "as") or "admin"
        set_caller(environ, caller_named(named))
        return self.app(environ, start_response)

    def _slow(self) -> str:
        threading.Event().wait(float(request.args["seconds"]))
        return "slept"

    def _burst(self) -> Response:
        order = json.loads(request.data)
        for number in range(order["from"], order["from"] + order["count"]):
            self.backend.publish(order["type"], {"n": number, "pad": "x" * order.get("pad", 0)})
        return Response(status=204)

    def _figures(self) -> dict[str, int]:
        return {
            "fds": len(os.listdir("/proc/self/fd")),  # noqa: PTH208  # names are enough
            "threads": threading.active_count(),
            "sockets": self.relay.sockets(),
            "feeds": self.backend.feeds,
        }


def _query_value(environ: dict[str, Any], name: str) -> str:
    parts = (part.partition("=") for part in environ.get("QUERY_STRING", "").split("&"))
    return next((value for key, _, value in parts if key == name), "").replace("%2F", "/")


def _demo_backend(epoch: str | None) -> MemoryBackend:
    backend = MemoryBackend(epoch=epoch)
    backend.methods["clock", "now"] = lambda input: {"zone": "UTC", "input": input}
    backend.requests["clock:ask"] = lambda payload: {"heard": payload}
    backend.set(Topic(plugin="clock", store="zone"), "UTC")
    return backend


def _serve_gunicorn(host: MemoryHost, listener: socket.socket, threads: int) -> None:
    from gunicorn.app.base import BaseApplication  # noqa: PLC0415  # not on Windows

    class Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
        def load_config(self) -> None:
            options = {
                "bind": f"fd://{listener.fileno()}",
                "worker_class": "gthread",
                "threads": threads,
                "workers": 1,
                "control_socket_disable": True,
                "post_worker_init": _stop_relay_on_term,
                "graceful_timeout": 5,
                "loglevel": "error",
            }
            for name, value in options.items():
                self.cfg.set(name, value)

        def load(self) -> MemoryHost:
            return host

    def _stop_relay_on_term(worker: Any) -> None:
        before = signal.getsignal(signal.SIGTERM)
        assert callable(before)

        def stop(number: int, frame: Any) -> None:
            host.relay.ask_stop()
            before(number, frame)

        signal.signal(signal.SIGTERM, stop)
        atexit.register(host.relay.wait_stopped)

    Server().run()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", default="gunicorn")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--epoch")
    parser.add_argument("--limits", default="{}")
    parser.add_argument("--echo", action="store_true", help="send back what comes, instead of answering JSON-RPC")
    options = parser.parse_args()
    limits, reader = RelayLimits(**json.loads(options.limits)), Echo() if options.echo else None
    host = MemoryHost(_demo_backend(options.epoch), limits, reader)
    listener = socket.create_server(("127.0.0.1", options.port), backlog=1024)
    listener.set_inheritable(True)
    print(listener.getsockname()[1], flush=True)  # noqa: T201  # the test reads it
    if options.server == "gunicorn":
        _serve_gunicorn(host, listener, options.threads)
    else:
        make_server("127.0.0.1", 0, host, threaded=True, fd=listener.fileno()).serve_forever()


if __name__ == "__main__":
    main()
