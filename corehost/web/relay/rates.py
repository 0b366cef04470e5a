"""Bound how many messages a browser session sends."""

from __future__ import annotations

import time

from corehost.web.relay.backend import Identity
from corehost.web.relay.limits import RelayLimits

_BUCKETS = 10_000


class Bucket:
    """A token bucket: *rate* a second, and up to two seconds' worth at once, as a page needs when it opens."""

    __slots__ = ("_full", "_left", "_rate", "_when")

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._full = self._left = 2 * rate
        self._when = time.monotonic()

    def take(self) -> bool:
        """Take one token; return false if there is none."""
        self._fill()
        if self._left < 1:
            return False
        self._left -= 1
        return True

    @property
    def full(self) -> bool:
        """Whether nobody has taken any for a while."""
        self._fill()
        return self._left == self._full

    def _fill(self) -> None:
        now = time.monotonic()
        self._left = min(self._full, self._left + (now - self._when) * self._rate)
        self._when = now


class Rates:
    """One bucket a session, shared by its connections and outliving them: to reconnect gains nothing."""

    def __init__(self, limits: RelayLimits) -> None:
        self._limits = limits
        self._buckets: dict[str, Bucket] = {}

    def allows(self, identity: Identity) -> bool:
        """Count one message of *identity*; return whether it is within the limit."""
        rate = self._limits.token_rate if identity.session is None else self._limits.session_rate
        return rate is None or self._bucket_of(identity, rate).take()

    def _bucket_of(self, identity: Identity, rate: float) -> Bucket:
        name = f"session:{identity.session}" if identity.session is not None else f"user:{identity.user.id}"
        bucket = self._buckets.get(name)
        if bucket is None:
            if len(self._buckets) >= _BUCKETS:
                self._buckets = {name: bucket for name, bucket in self._buckets.items() if not bucket.full}
            bucket = self._buckets[name] = Bucket(rate)
        return bucket
