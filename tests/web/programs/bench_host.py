"""The bench of the tests, served by gunicorn: ``bench_host.py FOLDER THREADS``."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from corehost.web.gate import Wsgi
from corehost.web.server import serve
from tests.web.bench import Bench


@dataclass(frozen=True, kw_only=True)
class BenchSettings:
    """What serving needs."""

    threads: int
    host: str = "127.0.0.1"
    port: int = 0
    debug: bool = False


class BenchHost:
    """Serves a bench."""

    def __init__(self, folder: Path, threads: int, port: int) -> None:
        self._closers = ExitStack()
        self._bench = Bench(folder, self._closers, threads=threads, port=port)

    @property
    def wsgi(self) -> Wsgi:
        """Serve one request."""
        return self._bench.web.wsgi

    def start(self) -> None:
        """Load the plugins."""
        self._bench.start()
        os.write(1, b"started\n")

    def stop_soon(self) -> None:
        """There is nobody to tell."""

    def stop(self) -> None:
        """Unload the plugins."""
        self._closers.close()

    def reload(self) -> None:
        """Look for plugins."""
        self._bench.plugins.lifecycle.rescan()


if __name__ == "__main__":
    folder, threads = Path(sys.argv[1]), int(sys.argv[2])
    sys.exit(
        serve(
            BenchSettings(threads=threads),
            lambda port: BenchHost(folder, threads, port),
            lambda port: os.write(1, f"listening {port}\n".encode()),
        )
    )
