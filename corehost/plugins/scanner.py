"""Watch the plugin folders, and find out what came, changed and went."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR

import structlog

from corehost.contract.errors import ConflictError
from corehost.plugins.catalogue import Catalogue
from corehost.plugins.lifecycle import Lifecycle
from corehost.plugins.registry import Registry
from corehost.plugins.sources import Origin, local_origins

Signature = tuple[tuple[str, int, int], ...]


@dataclass(slots=True, kw_only=True)
class _Seen:
    """How a plugin's files looked, since when, and whether it was told."""

    signature: Signature
    since: float
    told: bool


class Scanner:
    """Looks at the folders every *seconds*; what has been unchanged for *settle* seconds is taken for complete.

    A plugin that failed is tried again when its files change; a running one is left alone. One that was
    unregistered comes back only when its files change or all is scanned anew.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        registry: Registry,
        catalogue: Catalogue,
        *,
        seconds: float = 1.0,
        settle: float = 0.5,
    ) -> None:
        self._log = structlog.get_logger("corehost.plugins")
        self._lifecycle = lifecycle
        self._registry = registry
        self._catalogue = catalogue
        self._seconds = seconds
        self._settle = settle
        self._seen: dict[Origin, _Seen] = {}
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take what lies there now for known, and watch from now on."""
        now = time.monotonic()
        for origin in local_origins(self._catalogue.folders):
            self._seen[origin] = _Seen(signature=_signature(origin), since=now, told=True)
        self._thread = threading.Thread(target=self._run, name="corehost-plugin-scanner", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> None:
        """Look once, and ask for the changes that follow."""
        found = local_origins(self._catalogue.folders)
        for origin in found:
            self._compare(origin)
        arrived = [origin for origin in found if self._is_settled(origin)]
        if arrived:
            self._lifecycle.submit_arrived(arrived)
        for origin in set(self._seen) - set(found):
            del self._seen[origin]
            for plugin in self._registry.all():
                if plugin.origin == origin:
                    self._lifecycle.submit_departed(plugin.id)

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                self.look()
            except OSError as error:  # a file vanished while it was looked at; the next look is in a moment
                self._log.debug("plugin folder changed while it was scanned", error=str(error))
            except ConflictError:  # the host is stopping
                return

    def _compare(self, origin: Origin) -> None:
        signature = _signature(origin)
        seen = self._seen.get(origin)
        if seen is None or seen.signature != signature:
            self._seen[origin] = _Seen(signature=signature, since=time.monotonic(), told=False)

    def _is_settled(self, origin: Origin) -> bool:
        seen = self._seen[origin]
        if seen.told or time.monotonic() - seen.since < self._settle:
            return False
        seen.told = True
        return True


def _signature(origin: Origin) -> Signature:
    """Return name, size and time of every file of the plugin that can matter to its import."""
    path = origin.path
    assert path is not None  # local origins have one
    own = path.stat()
    stats = [(str(f), f.stat()) for f in sorted(_files(path))] if S_ISDIR(own.st_mode) else [(str(path), own)]
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.suffix in (".py", ".json") and file.is_file())
