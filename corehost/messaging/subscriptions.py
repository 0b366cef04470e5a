"""All subscriptions, held by blinker signals."""

from __future__ import annotations

import threading
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import blinker

from corehost.messaging.subscription import Subscription
from corehost.messaging.wildcards import Wildcards

Undo = Callable[[], None]

_order_of = attrgetter("order")


class Subscriptions:
    """Keeps one signal for each type or pattern that somebody subscribed, while somebody does.

    blinker calls receivers in no order and stops at the first that raises, so its ``send`` is never used; who hears
    a type is looked up here once and then kept in a plan. *changed* is told the pattern whenever that must be
    looked up anew.
    """

    def __init__(self, changed: Callable[[Subscription], None]) -> None:
        self._changed = changed
        self._lock = threading.RLock()  # a finalizer may come in between, see order.py
        self._signals = blinker.Namespace()
        self._wildcards = Wildcards()
        self._by_owner: dict[str, dict[int, Subscription]] = {}

    def add(self, subscription: Subscription) -> Undo:
        """Take up *subscription*; the undo takes it away, after which its handler is not called again."""
        text = subscription.pattern.text
        with self._lock:
            if text not in self._signals and not subscription.pattern.is_exact:
                self._wildcards.add(subscription.pattern)
            # weak=False: a plugin need not keep what it subscribed.
            self._signals.signal(text).connect(subscription, weak=False)
            self._by_owner.setdefault(subscription.owner, {})[id(subscription)] = subscription
        self._changed(subscription)
        return lambda: self.remove(subscription)

    def remove(self, subscription: Subscription) -> None:
        """Take *subscription* away, and its signal with the last one; does nothing if it is gone."""
        text = subscription.pattern.text
        with self._lock:
            subscription.end()
            of_owner = self._by_owner.get(subscription.owner, {})
            if of_owner.pop(id(subscription), None) is None:
                return
            if not of_owner:
                del self._by_owner[subscription.owner]
            signal = self._signals[text]
            signal.disconnect(subscription)
            if not signal.receivers:
                del self._signals[text]
                if not subscription.pattern.is_exact:
                    self._wildcards.remove(subscription.pattern)
        self._changed(subscription)

    def remove_all(self, owner: str) -> list[Subscription]:
        """Take all subscriptions of *owner* away and return them."""
        with self._lock:
            subscriptions = list(self._by_owner.get(owner, {}).values())
        for subscription in subscriptions:
            self.remove(subscription)
        return subscriptions

    def of(self, message_type: str) -> list[Subscription]:
        """Return who hears messages of this type: by priority, then load order, then age."""
        with self._lock:
            signals = self._signals
            exact = signals.get(message_type)
            found: list[Any] = [] if exact is None else list(exact.receivers.values())
            for pattern in self._wildcards.find(message_type):
                found += signals[pattern].receivers.values()
        if len(found) > 1:
            found.sort(key=_order_of)
        return found

    def patterns(self) -> set[str]:
        """Return the types and patterns that somebody subscribed."""
        with self._lock:
            return set(self._signals)

    def count(self, owner: str | None = None) -> int:
        """Return how many subscriptions there are, or *owner* has."""
        with self._lock:
            if owner is not None:
                return len(self._by_owner.get(owner, {}))
            return sum(len(subscriptions) for subscriptions in self._by_owner.values())
