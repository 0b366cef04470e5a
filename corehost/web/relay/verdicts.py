"""Remember who may see which message types."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from functools import partial
from typing import Any

from corehost.web.relay.backend import Backend, Identity
from corehost.web.relay.calls import CallQueue, Calls

_VERDICTS = 50_000

_log = logging.getLogger(__name__)


class Verdicts:
    """The answers of ``Backend.may_see``, which a plugin's hook may take its time over, kept until forgotten."""

    def __init__(self, backend: Backend, calls: Calls, known: Callable[[], None]) -> None:
        """*known* is called on the loop after an answer to ``ask`` has come."""
        self._backend = backend
        self._calls = calls
        self._known = known
        self._answers: dict[tuple[Hashable, str], bool] = {}
        self._asked: set[tuple[Hashable, str]] = set()

    def get(self, view: Hashable, type: str) -> bool | None:
        """Return the answer if it is known."""
        return self._answers.get((view, type))

    def ask(self, identity: Identity, type: str) -> None:
        """Find the answer out beside the loop."""
        question = (identity.view, type)
        if question not in self._asked and question not in self._answers:
            self._asked.add(question)
            self._calls.submit(CallQueue(), partial(self.find, identity, type), partial(self._answered, question))

    def find(self, identity: Identity, type: str) -> bool:
        """Return the answer, asking the host if need be; not for the loop."""
        answers = self._answers  # forget() replaces it, so an answer of before never counts as one of after
        known = answers.get((identity.view, type))
        if known is None:
            known = self._ask_host(identity, type)
            if len(answers) >= _VERDICTS:
                answers.clear()
            answers[(identity.view, type)] = known
        return known

    def forget(self) -> None:
        """Ask anew from now on."""
        self._answers = {}
        self._asked = set()

    def _ask_host(self, identity: Identity, type: str) -> bool:
        try:
            return self._backend.may_see(identity, type)
        except Exception:  # noqa: BLE001  # what cannot be decided is denied
            _log.exception("Nobody could tell whether %s may see %r; it may not.", identity.user.id, type)
            return False

    def _answered(self, question: tuple[Hashable, str], _: Future[Any]) -> None:
        self._asked.discard(question)
        self._known()
