"""Run plugins in processes of their own, each confined, watched and ended with its plugin."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from corehost.contract.errors import ManifestError, PluginFaultError
from corehost.contract.permissions import NETWORK_FETCH
from corehost.messaging.faults import FaultSink
from corehost.plugins.isolation import outward
from corehost.plugins.isolation.identity import FIRST_UID, LAST_UID, is_root
from corehost.plugins.isolation.line import Line
from corehost.plugins.isolation.order import Order
from corehost.plugins.isolation.process import HEARTBEAT, Flood, WorkerProcess
from corehost.plugins.isolation.remote import RemoteHooks, charged
from corehost.plugins.isolation.rpc import Asked
from corehost.plugins.isolation.sandbox import Confinement, Layer, Limits, probe, require_means
from corehost.plugins.isolation.served import ServedContext
from corehost.plugins.isolation.spawner import Spawner
from corehost.plugins.registry import Plugin

WORKER: Final = "corehost.worker"
START_SECONDS: Final = 30.0
"""The longest that it may take to make a process, apart from the plugin's own import."""
_BACKLOG: Final = 64
_LEVELS: Final = frozenset({"debug", "info", "warning", "error"})
Undo = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolationOptions:
    """How workers are held. Times are in seconds, sizes in bytes.

    A worker that gives no sign of life for ``silence``, or has a call that is ``overdue`` that long after nobody
    waits for it any more, is killed; so is one whose scratch folder is over ``scratch``. ``probe`` tells what this
    machine has to confine them.
    """

    limits: Limits = field(default_factory=Limits)
    hook_seconds: float = 10.0
    silence: float = 10.0
    overdue: float = 5.0
    scratch: int = 64_000_000
    allow_loopback_http: bool = False
    probe: Callable[[], list[Layer]] = probe


class Isolation:
    """Starts workers. *require* is asked before a plugin uses the network, and raises; *died* is told of deaths."""

    def __init__(
        self,
        *,
        faults: FaultSink,
        require: Callable[[Plugin, str, str], None],
        died: Callable[[str, str], Any],
        options: IsolationOptions,
    ) -> None:
        self._faults = faults
        self._require = require
        self._died = died
        self._options = options
        self._spawner = Spawner(WORKER)
        self._lock = threading.Lock()
        self._running: dict[WorkerProcess, int | None] = {}
        self._folder: Path | None = None
        self._count = 0
        self._end = threading.Event()

    def start(self, plugin: Plugin) -> tuple[RemoteHooks, Line, Undo]:
        """Import *plugin* in a process of its own; return its hooks, the line to it, and what ends it.

        Raises ``NotAllowedError`` where this machine cannot confine it, and what its import raised.
        """
        require_means(self._options.probe())
        if plugin.origin.path is None:
            raise ManifestError(f"The code of plugin {plugin.id!r} is nowhere to be found, so it cannot be isolated.")
        process, line, served = self._launch(plugin, plugin.origin.path)
        try:
            names = frozenset(map(str, line.call("load", seconds=self._options.hook_seconds)))
            hooks = RemoteHooks(
                plugin.id, names, line, admit=served.admit, seconds=self._options.hook_seconds, ways=served.ways
            )
        except BaseException:
            self._stop(process, served)
            raise
        return hooks, line, lambda: self._stop(process, served)

    def close(self) -> None:
        """End the template and every worker."""
        self._end.set()
        for process in list(self._running):
            process.close()
        self._spawner.close()
        with self._lock:
            folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _launch(self, plugin: Plugin, path: Path) -> tuple[WorkerProcess, Line, ServedContext]:
        folder, name = self._place(plugin.id)
        scratch = folder / "scratch" / name
        scratch.mkdir(mode=0o700)
        door = folder / "doors" / name
        process = WorkerProcess(plugin.id, door=door, scratch=scratch, died=partial(self._tell_death, plugin.id))
        line = Line(process)
        failed = partial(self._faults.charge, plugin.id, where="worker")
        served = ServedContext(plugin.id, line, http=partial(self._http, plugin), failed=failed)
        ours, theirs = socket.socketpair()
        with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
            listening.bind(str(door))
            listening.listen(_BACKLOG)
            heard = _Heard(process, served, self._faults)
            process.open(ours, serve=partial(_serve, line, served), hear=heard)
            try:
                # From here on it is watched, so it must have its line by now.
                uid = self._take_uid(process)
                confinement = Confinement(folder=path, scratch=scratch, uid=uid, limits=self._options.limits)
                order = Order(plugin_id=plugin.id, origin=plugin.origin, confinement=confinement)
                process.begin(self._spawner.spawn(order, theirs, listening))
            except BaseException:
                self._stop(process, served)
                raise
        return process, line, served

    def _stop(self, process: WorkerProcess, served: ServedContext) -> None:
        served.close()
        process.close()
        with self._lock:
            self._running.pop(process, None)

    def _place(self, plugin_id: str) -> tuple[Path, str]:
        with self._lock:
            if self._folder is None:
                # Short, as the address of a Unix socket must be; passable, as a worker has a user id of its own.
                self._folder = Path(tempfile.mkdtemp(prefix="corehost-"))
                self._folder.chmod(0o711)
                (self._folder / "scratch").mkdir(mode=0o711)
                (self._folder / "doors").mkdir(mode=0o700)
                threading.Thread(target=self._watch, name="corehost-workers", daemon=True).start()
            self._count += 1
            return self._folder, f"{self._count}-{plugin_id}"[:40]

    def _take_uid(self, process: WorkerProcess) -> int | None:
        with self._lock:
            uid: int | None = None
            if is_root():
                taken = set(self._running.values())
                uid = next((n for n in range(FIRST_UID, LAST_UID + 1) if n not in taken), None)
                if uid is None:
                    raise PluginFaultError("All user ids for workers are taken. Isolate fewer plugins.")
            self._running[process] = uid
        return uid

    def _tell_death(self, plugin_id: str, reason: str) -> None:
        self._died(plugin_id, reason)

    def _http(self, plugin: Plugin, options: dict[str, Any]) -> dict[str, Any]:
        self._require(plugin, NETWORK_FETCH, "send requests to other servers")
        return outward.send(options, allow_loopback=self._options.allow_loopback_http)

    def _watch(self) -> None:
        while not self._end.wait(HEARTBEAT):
            for process in list(self._running):
                if (reason := self._complaint(process)) is not None:
                    process.kill(reason)
                else:
                    process.channel.ping()

    def _complaint(self, process: WorkerProcess) -> str | None:
        options = self._options
        if process.channel.silence() > options.silence:
            return f"its process gave no sign of life for {options.silence:g} s"
        late = process.channel.overdue()
        if late is not None and late[1] > options.overdue:
            return f"its process still was at {late[0]!r} {options.overdue:g} s after the deadline"
        if _size(process.scratch) > options.scratch:
            return f"its scratch folder holds more than {options.scratch} bytes"
        return None


class _Heard:
    """Takes what a worker tells unasked: changed stores and lines for the log, and why it could not begin."""

    def __init__(self, process: WorkerProcess, served: ServedContext, faults: FaultSink) -> None:
        self._process = process
        self._served = served
        self._faults = faults
        self._flood = Flood()

    def __call__(self, method: str, params: Any) -> None:
        if self._flood.is_too_much(len(str(params)) if method == "log" else 0):
            self._process.kill("its process flooded the host")
        elif method == "refused":
            self._process.kill(str(params)[:500])
        else:
            charged(self._faults, self._process.plugin_id, lambda: self._take(method, *params))

    def _take(self, method: str, *params: Any) -> None:
        if method == "store":
            self._served.follow(*params)
        elif method == "log":
            level, text, values = params
            if level not in _LEVELS:
                raise ValueError(f"no level {level!r}")
            getattr(self._served.logger, level)(str(text), **{str(k): v for k, v in values.items()})
        else:
            raise ValueError(f"nothing is told as {method!r}")


def _serve(line: Line, served: ServedContext, asked: Asked) -> Any:
    with line.answering(asked):
        arguments, named = asked.params
        return served.serve(asked.method, arguments, named)


def _size(folder: Path) -> int:
    total = 0
    with contextlib.suppress(OSError):  # files come and go meanwhile
        for where, _, names in os.walk(folder):
            for name in names:
                with contextlib.suppress(OSError):
                    total += (Path(where) / name).lstat().st_blocks * 512
    return total
