"""What a name must look like, and that nobody gives away more than they have."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from corehost.contract.errors import Fault, InvalidError, PermissionDeniedError
from corehost.contract.user import UserContext

MOST_PERMISSIONS: Final = 500
_USER = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
_ROLE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_PERMISSION = re.compile(r"\*|[a-z0-9_-]+(:([a-z0-9_.-]+|\*))*")
_RESERVED = frozenset({"me", "core", "anonymous", "nobody"})


def user_id(text: str) -> str:
    """Return *text* as a user's id: people may write it in capitals; raises ``InvalidError``."""
    name = text.strip().lower()
    if not _USER.fullmatch(name) or name in _RESERVED:
        raise _invalid("/id", "Must be 1 to 64 letters, digits or '.', '_', '@', '+', '-', and no reserved word.")
    return name


def role_name(text: str) -> str:
    """Return *text* if it can name a role; raises ``InvalidError``."""
    if not _ROLE.fullmatch(text):
        raise _invalid("/name", "Must be 1 to 40 small letters, digits or '-'.")
    return text


def permissions(given: Iterable[str]) -> tuple[str, ...]:
    """Return *given* sorted, each once; raises ``InvalidError`` naming what is no permission."""
    found = tuple(sorted(set(given)))
    faults = [
        Fault(path=f"/permissions/{name[:80]}", message="Must be words between colons, such as 'plugin:clock:use'.")
        for name in found
        if len(name) > 200 or not _PERMISSION.fullmatch(name)
    ]
    if len(found) > MOST_PERMISSIONS:
        faults.append(Fault(path="/permissions", message=f"Must be at most {MOST_PERMISSIONS}. Use '*' for many."))
    if faults:
        raise InvalidError("These permissions cannot be given.", faults)
    return found


def require_covers(actor: UserContext, wanted: Iterable[str], what: str) -> None:
    """Raise ``PermissionDeniedError`` unless *actor* holds all of *wanted*: nobody hands out more than they have."""
    if missing := actor.permissions.missing(wanted):
        subject = f"user:{actor.id}"
        text = f"{subject} may not {what}: it holds {missing[0]!r}, which {subject} lacks. Ask an administrator."
        raise PermissionDeniedError(text, permission=missing[0], subject=subject)


def _invalid(path: str, message: str) -> InvalidError:
    return InvalidError("This name cannot be used.", [Fault(path=path, message=message)])
