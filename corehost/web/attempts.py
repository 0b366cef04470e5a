"""Slow down who guesses passwords: so many tries of a name and from an address, then one in a while."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from corehost.contract.errors import TooManyAttemptsError

_MOST: Final = 20_000
"""How many names and addresses are remembered; those that were quiet longest are forgotten first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many tries at once, then one more every *seconds*."""

    burst: int
    seconds: float


OF_NAME: Final = Rate(burst=10, seconds=30.0)
FROM_ADDRESS: Final = Rate(burst=60, seconds=5.0)


class Attempts:
    """Counts tries before they are looked at, so that many at once count as many.

    Who guesses a name's password can make its owner wait, too; the sign-in link that an operator makes is not limited.
    """

    def __init__(
        self, *, of_name: Rate = OF_NAME, from_address: Rate = FROM_ADDRESS, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._lock = threading.Lock()
        self._names = _Buckets(of_name)
        self._addresses = _Buckets(from_address)
        self._now = now

    def begin(self, name: str, address: str) -> None:
        """Count one try; raises ``TooManyAttemptsError`` if it comes too soon."""
        name, network, now = _folded(name), _network(address), self._now()
        with self._lock:
            wait = max(self._names.wait(name, now), self._addresses.wait(network, now))
            if wait > 0:
                seconds = math.ceil(wait)
                text = f"Too many failed attempts. Try again in {seconds} seconds, or ask for a sign-in link."
                raise TooManyAttemptsError(text, retry_after=seconds)
            self._names.take(name, now)
            self._addresses.take(network, now)

    def succeeded(self, name: str, address: str) -> None:
        """Forget the tries of a name: its owner has come. The address gets back only this one try.

        Otherwise an attacker with an account of their own could go on for ever, signing in between the guesses.
        """
        with self._lock:
            self._names.clear(_folded(name))
            self._addresses.give_back(_network(address))


class _Buckets:
    """For each key, the moment at which it would have all tries again; a try moves it on."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait(self, key: str, now: float) -> float:
        """Return for how many seconds no try is allowed."""
        return max(self._full_at.get(key, now), now) + self._rate.seconds * (1 - self._rate.burst) - now

    def take(self, key: str, now: float) -> None:
        self._full_at[key] = max(self._full_at.get(key, now), now) + self._rate.seconds
        self._full_at.move_to_end(key)
        if len(self._full_at) > _MOST:
            self._full_at.popitem(last=False)

    def give_back(self, key: str) -> None:
        if key in self._full_at:
            self._full_at[key] -= self._rate.seconds

    def clear(self, key: str) -> None:
        self._full_at.pop(key, None)


def _folded(name: str) -> str:
    return name.strip().lower()[:64]


def _network(address: str) -> str:
    """Return the address, of IPv6 the /64: that much belongs to one customer."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if found.version == 4:
        return str(found)
    mapped = found.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.ip_network((found, 64), strict=False))
