"""Change plugins on a host without a server, and be killed at the n-th touch of a file; or say how it stands.

``prepare DATA SOURCES`` installs, ``change ACTION N DATA SOURCES`` changes, ``recover N DATA`` is killed while it
starts, ``look DATA`` tells; ``full`` in place of ``change`` takes the disk's room away instead, from that touch on. The
kill is real: SIGKILL of the whole process, before the operation of the file system.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from corehost.cli.logs import configure_logs
from corehost.host import Host, plugin_options
from corehost.plugins.installation.fetching import Source
from corehost.plugins.installation.jobs import Job
from corehost.settings import Settings

PATIENCE = 120.0
TOUCHES = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "sqlite3.connect"})


class Reaper:
    """Counts touches of files below *folder* once armed, and strikes at the chosen one.

    It kills this process; or, if it *fills* the disk, nothing new can be written from then on.
    """

    def __init__(self, folder: Path, at: int, *, fills: bool = False) -> None:
        self._fills = fills
        self._folder = str(folder)
        self._at = at
        self.count = 0
        self.is_armed = False
        sys.addaudithook(self._see)

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_armed or not arguments or not self._touches(event, arguments):
            return
        self.count += 1
        if self._fills and self._at and self.count >= self._at and event in ("open", "os.mkdir"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))
        if not self._fills and self.count == self._at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _touches(self, event: str, arguments: tuple[Any, ...]) -> bool:
        is_write = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        return bool(event in TOUCHES or is_write) and self._is_ours(event, arguments)

    def _is_ours(self, event: str, arguments: tuple[Any, ...]) -> bool:
        path, beside = str(arguments[0]), arguments[-1]
        if event in ("os.remove", "os.rmdir") and isinstance(beside, int) and beside >= 0:
            path = f"{Path(f'/proc/self/fd/{beside}').readlink()}/{path}"  # seen from a folder that is open
        return self._folder in path


def host_on(data: Path) -> Host:
    settings = Settings(data_dir=data)
    options = dataclasses.replace(
        plugin_options(settings), builtin_package=None, entry_points=False, scan_seconds=0, trial_seconds=600.0
    )
    return Host(settings, options=options)


def start(host: Host, data: Path) -> None:
    """Load all plugins, until the note of the start is gone: a kill before that would lead to safe mode."""
    host.plugins.start(PATIENCE)
    while (data / "starting").exists():
        time.sleep(0.005)


def settled(job: Job) -> None:
    """Wait until a job is at its end, or watches."""
    while not job.ended.wait(0.01) and job.step != "watching":
        pass
    if job.error is not None:
        raise job.error


def begin(host: Host, action: str, sources: Path) -> Job:
    installer = host.plugins.installer
    match action:
        case "install":
            return installer.install(Source(text=str(sources / "3" / "other")))
        case "upgrade":
            return installer.upgrade("counter", Source(text=str(sources / "3" / "counter")))
        case "rollback":
            return installer.rollback("counter", storage=True)
        case "return":
            return installer.rollback("counter")
        case _:
            return installer.remove("counter", purge=True)


def change(action: str, at: int, data: Path, sources: Path) -> None:
    reaper = Reaper(data, at)
    host = host_on(data)
    start(host, data)
    if action == "return":
        settled(host.plugins.installer.upgrade("counter", Source(text=str(sources / "3" / "counter"))))
    reaper.is_armed = True
    settled(begin(host, action, sources))
    reaper.is_armed = False
    tell({"count": reaper.count})
    os._exit(0)  # as a power cut just behind the end would


def fill(action: str, at: int, data: Path, sources: Path) -> None:
    """Have no room from the chosen touch on; tell how the change ended, and what runs then."""
    reaper = Reaper(data, at, fills=True)
    host = host_on(data)
    start(host, data)
    reaper.is_armed = True
    job = begin(host, action, sources)
    while not job.ended.wait(0.01) and job.step != "watching":
        pass
    reaper.is_armed = False
    tell({"error": None if job.error is None else str(job.error), "plugins": told(host)})
    os._exit(0)


def prepare(data: Path, sources: Path) -> None:
    """Install version 1 and upgrade it to 2, whose trial is over."""
    host = host_on(data)
    start(host, data)
    installer = host.plugins.installer
    settled(installer.install(Source(text=str(sources / "1" / "counter"))))
    settled(installer.upgrade("counter", Source(text=str(sources / "2" / "counter"))))
    host.stop()
    (data / "installed" / "counter" / "change.json").unlink()


def recover(at: int, data: Path) -> None:
    reaper = Reaper(data, at)
    reaper.is_armed = True
    host = host_on(data)
    start(host, data)
    os._exit(0)


def look(data: Path) -> None:
    """Tell of each plugin its version, status, what its storage holds; and the files of what the host installed."""
    host = host_on(data)
    start(host, data)
    plugins = told(host)
    host.stop()
    installed = data / "installed"
    slots = {path.name for path in installed.glob("*/versions/*")}
    storages = {path.name for path in (data / "storage").glob("*")}
    tell({"plugins": plugins, "slots": sorted(slots), "storages": sorted(storages)})


def told(host: Host) -> dict[str, Any]:
    """Return of each plugin its version, its status, and what its storage holds."""
    return {
        plugin.id: {
            "version": plugin.version,
            "status": plugin.status,
            "history": host.plugins.gateway.call(plugin.id, "history", {}, caller=plugin.id),
        }
        for plugin in host.registry.all()
    }


def tell(value: Any) -> None:
    sys.stdout.write(json.dumps(value))
    sys.stdout.flush()


if __name__ == "__main__":
    configure_logs("error")
    match sys.argv[1:]:
        case ["prepare", data, sources]:
            prepare(Path(data), Path(sources))
        case ["change", action, at, data, sources]:
            change(action, int(at), Path(data), Path(sources))
        case ["full", action, at, data, sources]:
            fill(action, int(at), Path(data), Path(sources))
        case ["recover", at, data]:
            recover(int(at), Path(data))
        case ["look", data]:
            look(Path(data))
