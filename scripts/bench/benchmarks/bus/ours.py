"""Our bus, as two plugins of a whole host use it. Run as `… <variant> <work> <seconds>`."""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.bus.works import Counts, Work, answer, endless, rate_of, reading, works
from benchmarks.plugins import write_plugin
from corehost.cli.logs import configure_logs
from corehost.contract.context import PluginContext
from corehost.contract.message import Message, MessageSchema
from corehost.host import Host
from corehost.plugins.options import PluginOptions
from corehost.settings import Settings
from corehost.web.server import SWITCH_SECONDS

SENDER, HEARERS = "sender", tuple(f"hearer{i}" for i in range(10))
SCHEMA = {
    "type": "object",
    "required": ["celsius", "station"],
    "properties": {"celsius": {"type": "number"}, "station": {"type": "string", "maxLength": 40}},
    "additionalProperties": False,
}
PLAIN, TEN_LANES, NO_SCHEMA = "plain", "ten-lanes", "no-schema"

_WAIT = 60.0


class OurBus:
    """Sends as one plugin and handles as others, by what plugins are handed: permission, schema, history and lanes."""

    def __init__(self, host: Host, work: Work, *, hearers: int = 1, has_schema: bool = True) -> None:
        self._host = host
        self._counts = Counts()
        self._types = endless(work)
        self._send = context_of(SENDER).core.messages.send
        self.handled = self._counts.total
        for type in set(work.types) if has_schema else ():
            host.bus.declare(MessageSchema(type=type, payload=SCHEMA), owner=HEARERS[0])
        patterns = [*work.exact, *(f"{prefix}*" for prefix in work.prefixes)]
        for pattern, hearer in zip(patterns, itertools.cycle(HEARERS[:hearers]), strict=False):
            context_of(hearer).core.messages.subscribe(pattern, self._handler())

    def _handler(self) -> Callable[[Message], None]:
        cell = self._counts.cell()

        def handle(_: Message) -> None:
            cell[0] += 1

        return handle

    def send_many(self, count: int) -> None:
        """Send, and wait for room where a lane is full."""
        send = self._send
        for type in itertools.islice(self._types, count):
            send(type, reading(), wait=_WAIT)

    def finish(self) -> None:
        """Wait for the lanes; a message that was lost is a failure."""
        self._host.bus.drain(_WAIT)
        lost = len(self._host.bus.dead_letters())
        assert lost == 0, f"{lost} dead letters"


@contextmanager
def small_host() -> Iterator[Host]:
    """Run a host in memory, with a plugin that sends and ten that hear, at the pace of `corehost serve`."""
    configure_logs("error")
    sys.setswitchinterval(SWITCH_SECONDS)
    with tempfile.TemporaryDirectory(prefix="corehost-bench-") as folder:
        plugins = Path(folder) / "plugins"
        for plugin in (SENDER, *HEARERS):
            write_plugin(plugins, plugin)
        options = PluginOptions(folders=(plugins,), builtin_package=None, entry_points=False, scan_seconds=0)
        host = Host(Settings(data_dir=Path(folder)), options=options)
        try:
            host.start()
            yield host
        finally:
            host.stop()


def context_of(plugin: str) -> PluginContext:
    """Return what a plugin of the host was handed."""
    context: Any = sys.modules[f"corehost_plugins.{plugin}"].__dict__["context"]
    assert context is not None, f"{plugin} was not set up"
    found: PluginContext = context
    return found


def main(variant: str, key: str, seconds: float) -> None:
    """Measure one variant at one work."""
    work = works()[key]
    with small_host() as host:
        hearers = len(HEARERS) if variant == TEN_LANES else 1
        bus = OurBus(host, work, hearers=hearers, has_schema=variant != NO_SCHEMA)
        answer(rate=rate_of(bus, work.hearers, seconds))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
