"""A host of a few lines, served as the real one is: ``small_host.py MODE [--debug]``; says on stdout what happens."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from corehost.contract.errors import SettingsError
from corehost.web.server import serve


@dataclass(frozen=True, kw_only=True)
class SmallSettings:
    """What serving needs."""

    debug: bool
    host: str = "127.0.0.1"
    port: int = 0
    threads: int = 2


def say(*words: object) -> None:
    """Write one line at once, from whichever process."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


class SmallHost:
    """Answers ``/slow`` after a minute, anything else at once."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        say("created", os.getpid())

    def wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request."""
        if environ["PATH_INFO"] == "/slow":
            time.sleep(60.0)
        body = str(threading.active_count()).encode()
        start_response("200 OK", [("Content-Length", str(len(body))), ("Content-Type", "text/plain")])
        return [body]

    def start(self) -> None:
        """Start or refuse to."""
        if self._mode == "refuses-to-start":
            raise SettingsError("The self check failed.")
        say("started")

    def stop_soon(self) -> None:
        """Hear that the end is near."""
        say("stopping")

    def stop(self) -> None:
        """Stop."""
        say("stopped")

    def reload(self) -> None:
        """Read settings again."""
        say("reloaded")


def create(port: int) -> SmallHost:
    """Make the host or refuse to."""
    say("port", port)
    if sys.argv[1] == "cannot-be-made":
        raise SettingsError("The data folder is locked.")
    return SmallHost(sys.argv[1])


if __name__ == "__main__":
    settings = SmallSettings(debug="--debug" in sys.argv)
    code = serve(settings, create, lambda port: say("listening", port))
    say("ended", code, os.getpid())
    sys.exit(code)
