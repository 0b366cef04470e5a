"""A call to another process whose answer has not come yet."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Future, InvalidStateError
from functools import partial
from typing import Any

from corehost.plugins.isolation.reading import Work


class Pending:
    """A call of ours. Its *future* is for who does not wait; who does holds out for the ``baton``."""

    __slots__ = ("baton", "error", "future", "late_since", "method", "value")

    def __init__(self, method: str, future: Future[Any] | None) -> None:
        self.method = method
        self.future = future
        self.baton = threading.Lock()
        self.baton.acquire()
        self.late_since: float | None = None
        self.value: Any = None
        self.error: BaseException | None = None

    def settle(self, value: Any, error: BaseException | None) -> Work | None:
        """Wake who waits; a future may have the plugin's callbacks, so that its part is returned to be done."""
        self.value, self.error = value, error
        self.baton.release()
        return None if self.future is None else partial(_settle, self.future, value, error)


def _settle(future: Future[Any], value: Any, error: BaseException | None) -> None:
    with contextlib.suppress(InvalidStateError):  # cancelled
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
