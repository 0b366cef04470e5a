"""Decide whether a message may be sent, and write it."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from corehost.contract.errors import HopLimitError, InvalidError, NoTargetError, PermissionDeniedError
from corehost.contract.message import Message
from corehost.contract.schema import json_faults
from corehost.messaging.plan import CORE, Plan, Plans
from corehost.messaging.trail import NO_TRAIL, Trail, current_step, current_trail, entered

Vet = Callable[[Message], Message | None]
"""Looks at a message before it is published: amends its payload or meta, or raises."""

Presence = Callable[[str], bool]
"""Tells whether a target ``user:<id>`` or ``session:<id>`` is there."""

Undo = Callable[[], None]


class Admission:
    """Checks everything about a message in its sender, so that what is wrong is raised there.

    ``is_member`` tells whether a plugin is a target; *hops* is how many messages may cause one another in a row.
    """

    def __init__(self, plans: Plans, is_member: Callable[[str], bool], *, hops: int) -> None:
        self._plans = plans
        self._kept = plans.kept
        self._is_member = is_member
        self._hops = hops
        # A random beginning and a number: as unique as a random id, and twenty times cheaper.
        self._prefix = f"{secrets.token_hex(6)}-"
        self._numbers = itertools.count(1)
        self._vet: Vet | None = None
        self._presence: Presence | None = None

    def vet(self, vet: Vet) -> Undo:
        """Show every message but those of ``core:*`` to *vet* first."""
        self._vet = vet
        self._plans.vetted(is_vetted=True)

        def undo() -> None:
            if self._vet is vet:
                self._vet = None
                self._plans.vetted(is_vetted=False)

        return undo

    def presence(self, presence: Presence) -> Undo:
        """Ask *presence* whether a user or session is there."""
        self._presence = presence

        def undo() -> None:
            if self._presence is presence:
                self._presence = None

        return undo

    def admit(
        self, type: str, payload: Any, source: str, target: str | None, meta: Mapping[str, Any] | None
    ) -> tuple[Message, Plan, Trail]:
        """Return the message, not yet in order (``seq`` 0), who hears its type, and what led to it."""
        try:
            plan = self._kept[type]
        except (KeyError, TypeError):
            plan = self._plans.of(type)
        trail = NO_TRAIL if current_step() is NO_TRAIL else self.trail(type)
        if plan.is_core and source != CORE:
            raise PermissionDeniedError(f"{type!r} is sent by the host alone. Begin yours otherwise.", subject=source)
        if faults := plan.check(payload):
            raise InvalidError(f"The payload of {type!r} is not valid.", faults)
        if target is not None:
            self._check_target(target)
        if meta is not None:
            _check_meta(type, meta)
        draft = Message(
            id=f"{self._prefix}{next(self._numbers)}",
            type=type,
            source=source,
            payload=payload,
            timestamp=int(time.time() * 1_000),
            seq=0,
            target=target,
            meta=meta,
            cause=trail.cause,
        )
        if self._vet is not None and not plan.is_core:
            draft = self._vetted(self._vet, draft, plan, trail)
        return draft, plan, trail

    def trail(self, message_type: str) -> Trail:
        """Return what led to a message; raises ``HopLimitError`` if that was too much."""
        trail = current_trail()
        if trail.hops > self._hops:
            hops = f"{message_type!r} would be hop {trail.hops} of messages that caused one another"
            raise HopLimitError(f"{hops}: most likely a loop. At most {self._hops} are allowed.")
        return trail

    def _check_target(self, target: str) -> None:
        if target.startswith(("user:", "session:")):
            if self._presence is None or not self._presence(target):
                raise NoTargetError(f"Nobody is there as {target!r}. Send without a target, or when they are.")
        elif not self._is_member(target):
            raise NoTargetError(f"There is no enabled plugin {target!r} to send to. Enable it, or correct the id.")

    def _vetted(self, vet: Vet, draft: Message, plan: Plan, trail: Trail) -> Message:
        with entered(trail.after(draft.id)):  # what the vetting sends counts as caused by this
            amended = vet(draft)
        if amended is None or amended is draft:
            return draft
        if faults := plan.check(amended.payload):
            raise InvalidError(f"The payload of {draft.type!r} is not valid after it was amended.", faults)
        if amended.meta is not None:
            _check_meta(draft.type, amended.meta)
        return replace(draft, payload=amended.payload, meta=amended.meta)


def _check_meta(message_type: str, meta: Mapping[str, Any]) -> None:
    if faults := json_faults(meta):
        raise InvalidError(f"The meta of {message_type!r} is not valid.", faults)
    if not isinstance(meta, Mapping):
        raise InvalidError(f"The meta of {message_type!r} must be an object.")
