"""The 200 bytes that every peer carries, and the orders by which the load client asks for them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

SIZE = 200

_BARE = len('{"mark":"","pad":""}')


@dataclass(frozen=True, slots=True)
class Order:
    """Publish *count* messages of a phase, numbered from *first*, one each *interval* nanoseconds; 0 is at once."""

    phase: int
    first: int
    count: int
    interval: int

    def dues(self) -> Iterator[tuple[int, int]]:
        """Return the number of each message and the moment it is due, on the clock of ``monotonic_ns``."""
        began = time.monotonic_ns()
        for index in range(self.count):
            due = began + index * self.interval if self.interval else time.monotonic_ns()
            yield self.first + index, due


class Outlet(Protocol):
    """What publishes; ``flush`` is called when nothing more is due at once."""

    def publish(self, payload: dict[str, str]) -> None: ...
    def flush(self) -> None: ...


def payload(phase: int, number: int, due: int) -> dict[str, str]:
    """Return a message that is *SIZE* bytes as compact JSON; ``tally.c`` reads its mark."""
    mark = f"#{phase:02}{number:08}{due:019}"
    return {"mark": mark, "pad": "x" * (SIZE - _BARE - len(mark))}


def text(message: dict[str, str]) -> str:
    """Return a message of ours as compact JSON, without a general encoder's cost."""
    return f'{{"mark":"{message["mark"]}","pad":"{message["pad"]}"}}'


def read_order(line: str) -> Order:
    """Return the order that stands in a line."""
    phase, first, count, interval = map(int, line.split())
    return Order(phase, first, count, interval)


def obey(path: Path, outlet: Outlet) -> None:
    """Take orders over the Unix socket *path* until the one who gives them has gone."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        giver, _ = listener.accept()
        with giver, giver.makefile("r", encoding="ascii") as lines:
            for line in lines:
                carry_out(read_order(line), outlet)


def carry_out(order: Order, outlet: Outlet) -> None:
    """Publish what *order* asks for, each message when it is due; what is overdue is not left out."""
    for number, due in order.dues():
        wait = due - time.monotonic_ns()
        if wait > 0:
            outlet.flush()
            time.sleep(wait / 1e9)
        outlet.publish(payload(order.phase, number, due))
    outlet.flush()
