"""Run the real `corehost serve` with the bench plugin."""

from __future__ import annotations

import json
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.processes import Process, free_port
from benchmarks.workbench import HERE, Workbench
from corehost.state.database import HostDatabase

PLUGINS = HERE / "plugins"
TOKEN = "the-token-of-this-benchmark"
BUILTINS = ("analytics", "core-ui", "dashboard", "settings")


class ServedHost:
    """A host in a process of its own, ready when this is made; ``stop`` ends it.

    With *data* it starts on what is kept there and leaves it behind; else it has a folder for itself.
    """

    def __init__(
        self,
        workbench: Workbench,
        *,
        core: int,
        folders: Iterable[Path] = (PLUGINS,),
        has_builtins: bool = False,
        variables: Mapping[str, str] | None = None,
        data: Path | None = None,
    ) -> None:
        self.port = free_port()
        self.silence = ""
        self.header = f"Authorization: Bearer {TOKEN}"
        self._closers = ExitStack()
        if data is None:
            data = Path(self._closers.enter_context(tempfile.TemporaryDirectory(prefix="corehost-bench-")))
        if not has_builtins:
            _switch_off(data, BUILTINS)
        command = [str(workbench.ours), "-m", "corehost", "serve", "--port", str(self.port), "--data-dir", str(data)]
        for folder in folders:
            command += ["--plugins", str(folder)]
        environment = workbench.environment(COREHOST_TOKEN=TOKEN, **(variables or {}))
        self.process = Process(command, core=core, environment=environment)
        self._closers.callback(self.process.stop)
        try:
            self.process.wait_until(lambda: self.get("/readyz") == 200, "/readyz")
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the host and forget its data."""
        self._closers.close()

    def restricted(self, permissions: Iterable[str]) -> str:
        """Add a user with just these *permissions* and return the header of a token of theirs."""
        self._made("PUT", "/api/roles/restricted", {"permissions": list(permissions)})
        self._made("POST", "/api/users", {"id": "restricted", "roles": ["restricted"]})
        made = self._made("POST", "/api/users/restricted/tokens", {"name": "benchmark"})
        return f"Authorization: Bearer {made['secret']}"

    def get(self, path: str) -> int:
        """Return the status of a page, 0 if nobody answers."""
        return self.ask("GET", path)

    def ask(self, method: str, path: str, body: bytes | None = None) -> int:
        """Send a request as the administrator and return its status; 0 if nobody answers, and ``silence`` says why."""
        try:
            with self._open(method, path, body) as answer:
                answer.read()
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError as error:
            self.silence = repr(error)
            return 0

    def _made(self, method: str, path: str, values: Mapping[str, Any]) -> Any:
        try:
            with self._open(method, path, json.dumps(values).encode()) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path} was refused: {error.read().decode()[:300]}") from error

    def _open(self, method: str, path: str, body: bytes | None) -> Any:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, body, headers, method=method)
        return urllib.request.urlopen(request, timeout=60)  # noqa: S310  # our own host


def _switch_off(data: Path, plugins: Iterable[str]) -> None:
    """Note, as an operator's choice would be, that these plugins are off."""
    database = HostDatabase(data)
    for plugin in plugins:
        database.choices.set(plugin, False)
    database.close()
