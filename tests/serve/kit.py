"""The real `corehost serve` in a process of its own, and clients of it."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from websockets.sync.client import ClientConnection, connect

PLUGINS = Path(__file__).parent / "plugins"
MESSAGES = "/api/plugins/messages"
WAIT = 30.0


def until(condition: Callable[[], Any], what: str, *, seconds: float = WAIT) -> Any:
    """Return the first true value of *condition*; fails naming *what* did not come true."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        pause.wait(0.02)
    return value


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


class Served:
    """A host on a free port; ``log`` is what it wrote to stderr.

    One that *is_measured* for coverage starts in twice the time, and must be stopped: one that is killed tells nothing.
    """

    def __init__(
        self, folder: Path, *flags: str, python: str = sys.executable, is_measured: bool = False, **environ: str
    ) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.started = time.monotonic()
        self.log: list[str] = []
        unwanted = ("COREHOST_",) if is_measured else ("COREHOST_", "COVERAGE_")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
        self.process = subprocess.Popen(
            [python, "-m", "corehost", "serve", "--port", "0", "--data-dir", str(folder), *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder.parent,  # away from the checkout, so that what is installed is what runs
            env={**clean, "PYTHONDONTWRITEBYTECODE": "1", **environ},
        )
        self._logger = threading.Thread(target=self._read_log, daemon=True)
        self._logger.start()
        self.url, self.link = self._first_words()
        self.port = urlsplit(self.url).port or 0
        self.token: str = json.loads((folder / "host.json").read_text(encoding="utf-8"))["token"]

    def ready(self) -> Served:
        """Wait until all plugins were tried."""
        until(self._is_ready, f"ready; its log: {self.log[-20:]}")
        return self

    def _is_ready(self) -> bool:
        try:
            return self.request("GET", "/readyz").status == 200
        except OSError:  # a plugin has just ended the process that answers; the next is on its way
            return False

    def request(
        self,
        method: str,
        path: str,
        value: Any = None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        token: bool = True,
        timeout: float = WAIT,
    ) -> Answer:
        """Send one request on a connection of its own."""
        sent = {"Authorization": f"Bearer {self.token}"} if token else {}
        if value is not None:
            body = json.dumps(value).encode()
            sent["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, {**sent, **(headers or {})})
            response = connection.getresponse()
            return Answer(status=response.status, headers=dict(response.headers), body=response.read())
        except http.client.IncompleteRead as error:
            raise ConnectionResetError("The host went in the middle of its answer.") from error
        finally:
            connection.close()

    def get(self, path: str, **options: Any) -> Answer:
        return self.request("GET", path, **options)

    def call(self, plugin: str, method: str, input: Any = None) -> Any:
        answer = self.request("POST", f"/api/plugins/{plugin}/{method}", {} if input is None else input)
        assert answer.status == 200, answer.text
        return answer.json()["result"]

    def switch(self, plugin: str, status: str) -> Answer:
        return self.request("PUT", f"/api/plugins/{plugin}/status", {"status": status})

    def status(self, plugin: str) -> str | None:
        items = self.get("/api/plugins/manifest").json()["items"]
        return next((item["status"] for item in items if item["id"] == plugin), None)

    def add(self, *names: str) -> None:
        """Drop plugins into the folder, and wait until the host has found and enabled them by itself."""
        for name in names:
            place(self.folder, name)
        for name in names:
            plugin = name.replace("_", "-")
            until(lambda plugin=plugin: self.status(plugin) == "enabled", f"{name} enabled")  # type: ignore[misc]  # bound

    @contextmanager
    def browser(self, cookie: str | None = None) -> Iterator[Browser]:
        """Open a WebSocket, as the administrator's tool or, with *cookie*, as a page."""
        by_token = {"Authorization": f"Bearer {self.token}"}
        headers = by_token if cookie is None else {"Cookie": cookie, "Origin": self.url}
        with connect(
            f"ws://127.0.0.1:{self.port}{MESSAGES}",
            subprotocols=["corehost.v1"],  # type: ignore[list-item]  # a NewType of str
            additional_headers=headers,
            ping_interval=None,
            compression=None,
            max_size=None,
            proxy=None,
        ) as socket:
            yield Browser(socket)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop the host and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(WAIT)
        finally:
            self.kill()

    def kill(self) -> None:
        """End the host at once, and close what is open to it."""
        if self.process.poll() is None:
            self._kill_workers()
            self.process.kill()
        self.process.wait()
        self._logger.join(WAIT)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def tracebacks(self) -> list[str]:
        return [line for line in self.log if "Traceback" in line]

    def _kill_workers(self) -> None:
        # A killed parent's worker would live on for a while, and hold the pipe of our log open.
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=False
        )
        for pid in listed.stdout.split():
            os.kill(int(pid), signal.SIGKILL)

    def _first_words(self) -> tuple[str, str]:
        assert self.process.stdout is not None
        first = self.process.stdout.readline()
        assert first.startswith("Listening on http://"), (first, self.log)
        second = self.process.stdout.readline()
        return first.split()[-1], second.split()[-1]

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line.rstrip("\n"))


class Browser:
    """A WebSocket that speaks JSON-RPC, as a browser does."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self._asked = 0
        self._kept: deque[dict[str, Any]] = deque()
        self.welcome = self.next("session.welcome")

    def call(self, method: str, /, **params: Any) -> Any:
        """Send a request and return its result, or the error."""
        self._asked += 1
        number = self._asked
        self.socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        answer = self._find(lambda frame: frame.get("id") == number, f"an answer to {method}")
        return answer["error"] if "error" in answer else answer["result"]

    def next(self, method: str) -> Any:
        """Return the params of the next notification of *method*."""
        return self._find(lambda frame: frame.get("method") == method, method)["params"]

    def message(self, type: str) -> dict[str, Any]:
        """Return the next message of *type*."""

        def fits(frame: dict[str, Any]) -> bool:
            return frame.get("method") == "bus.message" and frame["params"]["message"]["type"] == type

        message: dict[str, Any] = self._find(fits, type)["params"]["message"]
        return message

    def waiting(self) -> list[dict[str, Any]]:
        """Return the frames that nobody has asked for; a ping and its answer make sure that all are here."""
        self.call("ping")
        return list(self._kept)

    def _find(self, fits: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        for frame in self._kept:
            if fits(frame):
                self._kept.remove(frame)
                return frame
        end = time.monotonic() + WAIT
        while True:
            assert time.monotonic() < end, f"no {what}"
            frame = json.loads(self.socket.recv(WAIT))
            if fits(frame):
                return dict(frame)
            self._kept.append(frame)


class EventStream:
    """A stream of server-sent events."""

    def __init__(self, served: Served, pattern: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=WAIT)
        headers = {"Authorization": f"Bearer {served.token}", "Accept": "text/event-stream"}
        self._connection.request("GET", f"{MESSAGES}?type={pattern}", headers=headers)
        self._response = self._connection.getresponse()
        assert self._response.status == 200

    def next(self) -> dict[str, Any]:
        """Return the data of the next event."""
        while line := self._response.readline():
            if line.startswith(b"data:"):
                data: dict[str, Any] = json.loads(line[5:])
                return data
        raise AssertionError("the stream has ended")

    def close(self) -> None:
        self._response.close()
        self._connection.close()


def place(folder: Path, name: str) -> None:
    """Put the plugin *name* into the plugins folder of the data folder, as an operator's copy would."""
    plugins = folder / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    source = PLUGINS / f"{name}.py"
    shutil.copy(source, plugins / source.name)
