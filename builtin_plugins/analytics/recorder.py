"""What one load of the plugin works with: it hears messages, gathers them, and writes them down together."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from typing import Any, TypedDict

from builtin_plugins.analytics.ledger import SECONDS, Counts, Ledger, Step
from builtin_plugins.analytics.patterns import matches
from corehost import ConflictError, Message, PluginContext, Writable, writable

PLUGIN_ID = "analytics"
RECENT = 50
TELL_EVERY = 2.0  # seconds: however often it writes, open pages fetch no more often than this
FORGET_EVERY = 3600.0  # seconds


class Totals(TypedDict):
    """How much this run has recorded; ``last`` is in milliseconds since the epoch."""

    recorded: int
    last: int | None


class Recorder:
    """Counts messages in memory, and hands them to the ledger at intervals: a flood costs no write a message."""

    def __init__(self) -> None:
        self.totals: Writable[Totals] = writable({"recorded": 0, "last": None})
        self._context: PluginContext | None = None
        self._lock = threading.Lock()
        self._pending: Counts = {}
        self._recent: deque[dict[str, Any]] = deque(maxlen=RECENT)
        self._told = 0.0
        self._untold = 0

    @property
    def context(self) -> PluginContext:
        """The plugin's context."""
        if self._context is None:
            raise ConflictError("Analytics is not set up yet. Try again when it is enabled.")
        return self._context

    @property
    def ledger(self) -> Ledger:
        """The counts on disk."""
        return Ledger(self.context.storage)

    def start(self, context: PluginContext) -> None:
        """Read what is on disk, and begin to write at intervals."""
        self._context = context
        self._recent.extend(context.storage.get("recent", []))
        self.forget()
        context.every(context.config["writeInterval"], self.write)
        context.every(FORGET_EVERY, self.forget)

    def stop(self) -> None:
        """Write what is left."""
        self.write()

    def is_wanted(self, message: Message) -> bool:
        """Tell whether *message* counts: not our own, which would never end, and not the host's noise."""
        if message.source == PLUGIN_ID:
            return False
        if message.type.startswith("core:") and not message.type.startswith("core:plugin:"):
            return False
        return not any(matches(pattern, message.type) for pattern in self.context.config["ignore"])

    def record(self, message: Message) -> None:
        """Count *message*; its payload is not kept, as it is not for everybody who may see numbers."""
        key = (message.timestamp // 60_000, message.type)
        entry = {"type": message.type, "source": message.source, "time": message.timestamp}
        with self._lock:
            self._pending[key] = self._pending.get(key, 0) + 1
            self._recent.append(entry)

    def write(self) -> None:
        """Write down what came since the last time, and tell the bus, if there was anything."""
        with self._lock:
            counts, self._pending = self._pending, {}
            recent = list(self._recent)
        if counts:
            try:
                self.ledger.add(counts)
                self.context.storage.set("recent", recent)
            except Exception:
                self._take_back(counts)
                raise
            number = sum(counts.values())
            self._untold += number
            self.totals.update(lambda old: {"recorded": old["recorded"] + number, "last": recent[-1]["time"]})
        self._tell()

    def forget(self) -> None:
        """Delete what is too old."""
        self.ledger.forget(int(time.time()), self.context.config["retentionDays"])

    def counts(self, step: Step, since: int, until: int) -> dict[int, Counter[str]]:
        """Return what came from *since* up to *until* (seconds since the epoch), by the start of each *step*."""
        found = self.ledger.read(step, since, until)
        for (minute, message_type), number in self._unwritten().items():
            start = minute * 60 - (minute * 60) % SECONDS[step]
            if since <= start < until:
                found.setdefault(start, Counter())[message_type] += number
        return found

    def recent(self, limit: int) -> list[dict[str, Any]]:
        """Return the newest messages, newest first: type, source and time in milliseconds since the epoch."""
        with self._lock:
            return list(self._recent)[: -limit - 1 : -1]

    def _unwritten(self) -> Counts:
        with self._lock:
            return dict(self._pending)

    def _take_back(self, counts: Counts) -> None:
        with self._lock:
            for key, number in counts.items():
                self._pending[key] = self._pending.get(key, 0) + number

    def _tell(self) -> None:
        now = time.monotonic()
        if self._untold and now - self._told >= TELL_EVERY:
            number, self._untold, self._told = self._untold, 0, now
            self.context.core.messages.send("analytics:data-updated", {"recorded": number})
