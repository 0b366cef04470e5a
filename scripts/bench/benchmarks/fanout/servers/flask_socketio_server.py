"""Flask-SocketIO on gevent, as its documentation deploys it."""

from __future__ import annotations

import gevent.monkey

gevent.monkey.patch_all()

import sys  # noqa: E402  # gevent must come before whatever it changes
from pathlib import Path  # noqa: E402

from flask import Flask  # noqa: E402
from flask_socketio import SocketIO  # noqa: E402

from benchmarks.fanout.marks import obey  # noqa: E402


class Outlet:
    """Emits each message to all clients."""

    def __init__(self, server: SocketIO) -> None:
        self._server = server

    def publish(self, payload: dict[str, str]) -> None:
        """Emit a message."""
        self._server.emit("tick", payload)
        self._server.sleep(0)  # let the clients' greenlets send it

    def flush(self) -> None:
        """Nothing is held back."""


def main(port: int, control: Path) -> None:
    """Serve on *port* and publish by the orders on *control*."""
    app = Flask(__name__)
    server = SocketIO(app, async_mode="gevent")
    server.start_background_task(obey, control, Outlet(server))
    server.run(app, "127.0.0.1", port)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
