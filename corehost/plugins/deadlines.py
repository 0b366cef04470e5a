"""Run a plugin's code on a thread of its own and wait for it no longer than its deadline."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from corehost.contract.errors import CorehostError, LateError, PluginFaultError

T = TypeVar("T")


def run_with_deadline(work: Callable[[], T], *, seconds: float, what: str, name: str = "plugin-hook") -> T:
    """Return ``work()`` or raise what it raised; ``LateError`` after *seconds*.

    A late thread cannot be ended in Python: it is left behind, and what it does later finds its plugin closed.
    *what* begins the error's text; *name* names the thread.
    """
    outcome: Future[T] = Future()
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_settle, outcome, tamed(work)), name=name, daemon=True).start()
    try:
        return outcome.result(seconds)
    except TimeoutError:
        if outcome.done():  # the work itself raised a TimeoutError, or ended just now
            return outcome.result()
        raise LateError(f"{what} was not done after {seconds:g} s. Let it start long work with 'spawn'.") from None


def _settle(outcome: Future[T], work: Callable[[], T]) -> None:
    try:
        outcome.set_result(work())
    except BaseException as error:  # noqa: BLE001  # whoever waits gets it, whatever it is
        outcome.set_exception(error)


def tamed(work: Callable[[], T]) -> Callable[[], T]:
    """Return *work* as one that raises nothing but an ``Exception``: a plugin's ``sys.exit()`` ends no thread of ours.

    A ``KeyboardInterrupt`` passes: it is the operator's word.
    """

    def run() -> T:
        try:
            return work()
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise PluginFaultError(f"The plugin's code raised {described(error)}") from error

    return run


def described(error: BaseException) -> str:
    """Return class and text of what a plugin raised; even making the text may run the plugin's code, and fail."""
    if isinstance(error, CorehostError):
        return error.text
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001  # a plugin's __str__ may raise anything
        return type(error).__name__
