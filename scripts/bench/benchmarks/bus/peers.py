"""The peers in Python: blinker, pyee, PyPubSub and Home Assistant's bus. Run as `… <peer> <work> <seconds>`."""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from benchmarks.bus.works import Bus, Counts, Work, answer, endless, rate_of, reading, works


class Blinker:
    """A signal a type; it has no wildcards."""

    def __init__(self, work: Work) -> None:
        import blinker  # noqa: PLC0415  # each peer is imported only where it is measured

        self._counts = Counts()
        signals = blinker.Namespace()
        for type in work.exact:
            signals.signal(type).connect(self._handler(), weak=False)
        # Whoever uses blinker holds the signal; looking it up by name is not part of a send.
        self._signals = itertools.cycle([signals.signal(type) for type in work.types])
        self.handled = self._counts.total

    def _handler(self) -> Any:
        cell = self._counts.cell()

        def handle(_: object, *, payload: object) -> None:  # noqa: ARG001  # blinker hands it over by name
            cell[0] += 1

        return handle

    def send_many(self, count: int) -> None:
        for signal in itertools.islice(self._signals, count):
            signal.send(None, payload=reading())

    def finish(self) -> None:
        """Everything was handled in the call."""


class Pyee:
    """An event emitter; it has no wildcards."""

    def __init__(self, work: Work) -> None:
        import pyee  # noqa: PLC0415

        self._counts = Counts()
        self._types = endless(work)
        self._emitter = pyee.EventEmitter()
        for type in work.exact:
            self._emitter.on(type, self._handler())
        self.handled = self._counts.total

    def _handler(self) -> Any:
        cell = self._counts.cell()

        def handle(_: object) -> None:
            cell[0] += 1

        return handle

    def send_many(self, count: int) -> None:
        emit = self._emitter.emit
        for type in itertools.islice(self._types, count):
            emit(type, reading())

    def finish(self) -> None:
        """Everything was handled in the call."""


class PyPubSub:
    """Topics in a tree; whoever listens to a topic hears those below it, which are its wildcards."""

    def __init__(self, work: Work) -> None:
        from pubsub import pub  # noqa: PLC0415

        self._counts = Counts()
        self._send = pub.sendMessage
        self._kept: list[Any] = []  # it holds listeners weakly
        for type in work.exact:
            self._listen(pub, type.replace(":", "."))
        for prefix in work.prefixes:
            self._listen(pub, prefix.rstrip(":").replace(":", "."))
        self._types = itertools.cycle([type.replace(":", ".") for type in work.types])
        self.handled = self._counts.total

    def _listen(self, pub: Any, topic: str) -> None:
        cell = self._counts.cell()

        def handle(payload: object) -> None:  # noqa: ARG001  # PyPubSub hands it over by name
            cell[0] += 1

        self._kept.append(handle)
        pub.subscribe(handle, topic)

    def send_many(self, count: int) -> None:
        send = self._send
        for type in itertools.islice(self._types, count):
            send(type, payload=reading())

    def finish(self) -> None:
        """Everything was handled in the call."""


class HomeAssistant:
    """The bus of Home Assistant in its fastest manner, listeners that run at once; wildcards are filters there."""

    def __init__(self, work: Work) -> None:
        from homeassistant.core import MATCH_ALL, HomeAssistant, callback  # noqa: PLC0415

        self._counts = Counts()
        self._types = endless(work)
        self._bus = HomeAssistant(tempfile.gettempdir()).bus
        for type in work.exact:
            self._bus.async_listen(type, callback(self._handler()), run_immediately=True)
        for prefix in work.prefixes:
            wanted = callback(lambda event, prefix=prefix: event.event_type.startswith(prefix))
            handle = callback(self._handler())
            self._bus.async_listen(MATCH_ALL, handle, event_filter=wanted, run_immediately=True)
        self.handled = self._counts.total

    def _handler(self) -> Any:
        cell = self._counts.cell()

        def handle(_: object) -> None:
            cell[0] += 1

        return handle

    def send_many(self, count: int) -> None:
        fire = self._bus.async_fire
        for type in itertools.islice(self._types, count):
            fire(type, reading())

    def finish(self) -> None:
        """Everything was handled in the call."""


PEERS: dict[str, Callable[[Work], Bus]] = {
    "blinker": Blinker,
    "pyee": Pyee,
    "PyPubSub": PyPubSub,
    "Home Assistant": HomeAssistant,
}


async def main(peer: str, key: str, seconds: float) -> None:
    """Measure one peer at one work, inside of an event loop, which Home Assistant asks for."""
    work = works()[key]
    bus = PEERS[peer](work)
    answer(rate=rate_of(bus, work.hearers, seconds))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
