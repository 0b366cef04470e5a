"""Wait for the next message of a pattern."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any

from corehost.contract.errors import AbortedError, LateError
from corehost.contract.message import Handler, Message
from corehost.messaging.lane import Lane
from corehost.messaging.patterns import Pattern
from corehost.messaging.subscription import Subscription


class Waiter(Subscription):
    """A subscription to one message, which it hears while that is sent: no lane, so even a handler can wait for it."""

    __slots__ = ("future",)

    def __init__(
        self, pattern: Pattern, *, lane: Lane, sources: frozenset[str] | None, order: tuple[int, int, int]
    ) -> None:
        self.future: Future[Message] = Future()
        handler = Handler(handle=self.give)
        super().__init__(pattern, handler, lane=lane, sources=sources, order=order, may_know_user=lambda _: False)

    def takes(self, message: Message) -> bool:
        """Claim *message*, with the bus locked; no message after it is claimed."""
        if not self.is_live or (self._sources is not None and message.source not in self._sources):
            return False
        if message.target is not None and message.target != self.owner:
            return False
        self.is_live = False
        return True

    def give(self, message: Message) -> None:
        """Hand *message* to who waits."""
        with contextlib.suppress(InvalidStateError):  # given up a moment ago
            self.future.set_result(message)

    def give_up(self, reason: str) -> None:
        """Let whoever waits know that nothing will come."""
        with contextlib.suppress(InvalidStateError):
            self.future.set_exception(AbortedError(reason))


class NextMessage:
    """What ``once`` returns; keeps the contract ``Awaited``."""

    def __init__(self, waiter: Waiter, remove: Callable[[], None]) -> None:
        self._waiter = waiter
        self._remove = remove
        waiter.future.add_done_callback(lambda _: remove())

    def result(self, timeout: float | None = None) -> Message:
        """Wait up to *timeout* seconds and return the message; raises ``LateError``."""
        try:
            return self._waiter.future.result(timeout)
        except TimeoutError:
            text = f"No message {self._waiter.pattern.text!r} came within {timeout:g} s."
            raise LateError(text) from None

    def cancel(self) -> None:
        """Stop waiting; ``result`` then raises ``AbortedError``."""
        self._waiter.give_up(f"The wait for a message {self._waiter.pattern.text!r} was cancelled.")

    def __await__(self) -> Any:
        """Wait inside a coroutine."""
        return asyncio.wrap_future(self._waiter.future).__await__()
