"""Ask the handlers of a request one after another until one answers."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, InvalidStateError
from functools import partial
from typing import Any

from corehost.contract.errors import AbortedError, BusyError, InvalidError, LateError, NoHandlerError, PluginFaultError
from corehost.contract.message import Message
from corehost.contract.schema import Checker
from corehost.contract.user import Signal
from corehost.messaging.calls import Calls
from corehost.messaging.faults import FaultSink
from corehost.messaging.subscription import Subscription
from corehost.messaging.trail import Trail


class Requests:
    """Answers requests. Handlers run beside the lanes, so one may ask the plugin whose handler asked it."""

    def __init__(self, calls: Calls, faults: FaultSink) -> None:
        self.calls = calls
        self.faults = faults

    def ask(
        self,
        message: Message,
        subscriptions: Iterable[Subscription],
        check_response: Checker,
        *,
        trail: Trail,
        deadline: float,
    ) -> Future[Any]:
        """Ask *subscriptions* in their order; the future gets the first answer that is not ``None``.

        It fails with ``NoHandlerError`` if there are none, ``PluginFaultError`` if one raises or answers what the
        schema forbids, ``LateError`` at *deadline* and ``BusyError``; each at once, and no other is asked then.
        """
        left = max(0.0, deadline - time.monotonic())
        ask = _Ask(self, message, deque(subscriptions), check_response, trail.after(message.id, deadline=deadline))
        text = f"Nobody answered {message.type!r} within {left:.3g} s."
        self.calls.give_up_after(ask.future, left, ask.signal, text)
        if not ask.remaining:
            ask.fail(_no_handler(message))
        elif not left:
            ask.fail(LateError(text))
        else:
            ask.go_on()
        return ask.future


class _Ask:
    """One request on its way from handler to handler."""

    def __init__(
        self, requests: Requests, message: Message, remaining: deque[Subscription], check: Checker, trail: Trail
    ) -> None:
        self.future: Future[Any] = Future()
        self.signal = Signal(trail.deadline)
        self.remaining = remaining
        self._requests = requests
        self._message = message
        self._check = check
        self._trail = trail

    def go_on(self) -> None:
        """Ask the next handler, or answer ``None`` if all had nothing to say."""
        while self.remaining:
            subscription = self.remaining.popleft()
            if subscription.is_live:
                self._start(subscription)
                return
        self._answer(None)

    def fail(self, error: BaseException) -> None:
        """End the request with *error*."""
        with contextlib.suppress(InvalidStateError):  # late or cancelled
            self.future.set_exception(error)

    def _start(self, subscription: Subscription) -> None:
        try:
            self._requests.calls.begin(
                subscription.owner,
                self._call,
                subscription,
                trail=self._trail,
                then=partial(self._called, subscription),
            )
        except BusyError as busy:
            self.fail(busy)

    def _call(self, subscription: Subscription) -> Any:
        """Call the handler, on a thread of its owner."""
        began = time.monotonic()
        try:
            return subscription(self._message, self.signal)
        finally:
            self._requests.faults.took(subscription.owner, "request", time.monotonic() - began)

    def _called(self, subscription: Subscription, answer: Any, failure: BaseException | None) -> None:
        if failure is not None:
            self._failed(subscription, failure)
        elif self.signal.aborted:  # whoever is first to say so: an answer after the deadline is late
            self.fail(self._late(subscription))
        elif answer is None:
            self.go_on()
        elif faults := self._check(answer):
            text = f"The answer of {subscription.owner!r} to {self._message.type!r} is not valid."
            self._failed(subscription, InvalidError(text, faults))
        else:
            self._answer(answer)

    def _failed(self, subscription: Subscription, error: BaseException) -> None:
        if self.signal.aborted and isinstance(error, LateError | AbortedError):
            self._fail_because(self._late(subscription), error)  # it kept to its deadline, which is no fault
            return
        owner, text = subscription.owner, f"{type(error).__name__}: {error}"
        self._requests.faults.charge(owner, error, where="request", message=self._message)
        fault = PluginFaultError(f"Plugin {owner!r} failed on {self._message.type!r}: {text}", plugin_id=owner)
        self._fail_because(fault, error)

    def _late(self, subscription: Subscription) -> LateError:
        return LateError(f"{subscription.owner!r} did not answer {self._message.type!r} in time.")

    def _fail_because(self, error: Exception, cause: BaseException) -> None:
        error.__cause__ = cause
        self.fail(error)

    def _answer(self, value: Any) -> None:
        with contextlib.suppress(InvalidStateError):  # late or cancelled
            self.future.set_result(value)


def _no_handler(message: Message) -> NoHandlerError:
    whose = f"Plugin {message.target!r} has no handler" if message.target else "Nobody has a handler"
    return NoHandlerError(f"{whose} for {message.type!r}. Check the type, and that the plugin is enabled.")
