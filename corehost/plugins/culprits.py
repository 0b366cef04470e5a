"""Remember which plugins ended the process, so that they stay off."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from corehost.contract.errors import PluginFaultError
from corehost.plugins.faults import Faults
from corehost.plugins.lastwords import LastWords
from corehost.plugins.registry import Plugin
from corehost.plugins.sources import Origin
from corehost.plugins.stacks import is_below

FILE = "culprits.json"
_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """A plugin that ended the process: how, when, by ``time.time``, in which stack, innermost first, and the state of
    its files then."""

    plugin_id: str
    cause: str
    at: float
    stack: tuple[str, ...]
    stamp: str

    @property
    def reason(self) -> str:
        """Why it is off, for its entry in the list."""
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.at))
        place = f", in {self.stack[0]}" if self.stack else ""
        text = f"It ended the host's process on {when}: {self.cause}{place}."
        return f"{text} It stays off until you enable or reload it, or its code changes."


class Culprits:
    """Those that ended the process, kept in the data folder until somebody enables or reloads them or their code
    changes."""

    def __init__(self, data_dir: Path, faults: Faults) -> None:
        self._faults = faults
        self._log = structlog.get_logger("corehost.plugins")
        self._file = data_dir / FILE
        self._lock = threading.Lock()
        self._known: dict[str, Culprit] = self._read()

    def find(self, words: LastWords, origins: Iterable[Origin]) -> Culprit | None:
        """Find the plugin in whose code the process died, and remember it: of all frames the innermost counts."""
        known = list(origins)
        for index, frame in enumerate(words.stack):
            for origin in known:
                if _holds(origin, frame.file):
                    stack = tuple(map(str, words.stack[index : index + _SHOWN]))
                    return self._remember(origin, words, stack)
        return None

    def accuse(self, plugin: Plugin) -> PluginFaultError | None:
        """Return why *plugin* must stay off, and charge it; ``None`` if it did nothing or its code is another now."""
        culprit = self._known.get(plugin.origin.plugin_id)
        if culprit is None:
            return None
        if culprit.stamp != _stamp(plugin.origin):
            self.forgive(plugin.origin.plugin_id)
            return None
        error = PluginFaultError(culprit.reason, plugin_id=plugin.id)
        self._faults.charge(plugin.id, error, where="crash", stack=culprit.stack)
        return error

    def forgive(self, plugin_id: str) -> None:
        """Let it run again."""
        with self._lock:
            if self._known.pop(plugin_id, None) is not None:
                self._write()

    def _remember(self, origin: Origin, words: LastWords, stack: tuple[str, ...]) -> Culprit:
        plugin_id = origin.plugin_id
        culprit = Culprit(plugin_id=plugin_id, cause=words.cause, at=words.at, stack=stack, stamp=_stamp(origin))
        with self._lock:
            self._known[plugin_id] = culprit
            self._write()
        return culprit

    def _read(self) -> dict[str, Culprit]:
        try:
            listed: list[dict[str, Any]] = json.loads(self._file.read_text(encoding="utf-8"))
            return {one["plugin_id"]: Culprit(**{**one, "stack": tuple(one["stack"])}) for one in listed}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._log.warning("culprits not read", file=str(self._file), reason=str(error))
            return {}

    def _write(self) -> None:
        listed = [
            {"plugin_id": c.plugin_id, "cause": c.cause, "at": c.at, "stack": list(c.stack), "stamp": c.stamp}
            for c in self._known.values()
        ]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_suffix(".new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(listed, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._file)


def _holds(origin: Origin, file: str) -> bool:
    if origin.path is not None:
        return is_below(file, origin.path)
    inside = (origin.module or "").replace(".", "/")  # an installed one, whose place only its import tells
    return bool(inside) and (f"/{inside}/" in file or file.endswith(f"/{inside}.py"))


def _stamp(origin: Origin) -> str:
    """Return what changes with the plugin's code; of one whose place is not known, nothing does."""
    path = origin.path
    if path is None or not path.exists():
        return ""
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    seen = [(str(file.relative_to(path)), file.stat().st_mtime_ns, file.stat().st_size) for file in files]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()[:16]
