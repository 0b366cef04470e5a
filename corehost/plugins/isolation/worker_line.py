"""The line to the host, in a plugin's own process."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from corehost.contract.errors import NotFoundError
from corehost.contract.message import Handler, HandlerContext, Message
from corehost.contract.stores import Readable
from corehost.messaging.subscription import takes_context
from corehost.plugins.isolation.rpc import Channel

SECONDS: Final = 60.0
GRACE: Final = 5.0
"""What a call takes beyond its own deadline, which the host keeps, in seconds."""
Undo = Callable[[], None]

# Global because a context variable must be; it holds which of the host's calls this thread or task is at work on.
_during: ContextVar[int | None] = ContextVar("corehost_during", default=None)


@contextmanager
def during(number: int | None) -> Iterator[None]:
    """Do what follows for one of the host's calls, so that the host knows on whose behalf it is."""
    token = _during.set(number)
    try:
        yield
    finally:
        _during.reset(token)


class HostLine:
    """Asks the host, and keeps the functions that the host may call back."""

    def __init__(self, adapt: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        self.channel: Channel
        self._adapt = adapt
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._functions: dict[int, Callable[..., Any]] = {}

    def ask(self, name: str, *arguments: Any, seconds: float = SECONDS, **named: Any) -> Any:
        """Return what the host answers; raises what it raised there."""
        return self.channel.call(name, [list(arguments), named], seconds=seconds, during=_during.get())

    def ask_later(self, name: str, *arguments: Any, **named: Any) -> Future[Any]:
        """Ask without waiting."""
        return self.channel.begin(name, [list(arguments), named], during=_during.get())[1]

    def tell(self, name: str, *arguments: Any) -> None:
        """Tell the host something that has no answer."""
        self.channel.tell(name, list(arguments))

    def open(self, name: str, function: Callable[..., Any], *arguments: Any, before: int = 1) -> Undo:
        """Open something by which the host calls *function* back; its number goes after *before* arguments."""
        number = self.keep(self._adapt(function))
        given = [*arguments[:before], number, *arguments[before:]]
        try:
            opened = self.ask(name, *given)
        except BaseException:
            self.drop(number)
            raise
        return self._undo(opened, number)

    def open_handler(self, handler: Handler, pattern: str, source: Any) -> Undo:
        """Have the host call *handler* with messages of *pattern*."""
        number = self.keep(hearing(handler, self._adapt))
        try:
            opened = self.ask("subscribe", pattern, number, source, handler.priority)
        except BaseException:
            self.drop(number)
            raise
        return self._undo(opened, number)

    def keep(self, function: Callable[..., Any]) -> int:
        """Keep *function* for the host to call, and return its number."""
        with self._lock:
            number = next(self._numbers)
            self._functions[number] = function
        return number

    def drop(self, number: int) -> None:
        """Forget a function."""
        with self._lock:
            self._functions.pop(number, None)

    def function(self, number: int) -> Callable[..., Any]:
        """Return a function that was kept."""
        found = self._functions.get(number)
        if found is None:
            raise NotFoundError("That was undone a moment ago.")
        return found

    def _undo(self, opened: int, number: int) -> Undo:
        once = [opened]

        def undo() -> None:
            if once:
                self.ask("undo", once.pop())
                self.drop(number)

        return undo


class FarStore(Readable[Any]):
    """A store that lives in the host: *read* returns its state, *follow* has the host call with each value."""

    def __init__(self, read: Callable[[], list[Any]], follow: Callable[[Callable[[Any], Any]], Undo]) -> None:
        super().__init__()
        self._read = read
        self._follow = follow

    def snapshot(self) -> tuple[Any, int]:
        """Return value and version as they belong together."""
        value, version = self._read()
        return value, version

    def subscribe(self, run: Callable[[Any], Any]) -> Undo:
        """Call *run* with the value now, and after each change in the plugin's lane."""
        return self._follow(run)


def hearing(
    handler: Handler, adapt: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Callable[[Message, HandlerContext], Any]:
    """Return what calls *handler*, if its filter lets the message pass."""
    handle, wants_context = adapt(handler.handle), takes_context(handler.handle)
    accepts = adapt(handler.filter) if handler.filter is not None else None

    def hear(message: Message, context: HandlerContext) -> Any:
        if accepts is not None and not accepts(message):
            return None
        return handle(message, context) if wants_context else handle(message)

    return hear
