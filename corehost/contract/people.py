"""People as the host keeps them: accounts, roles, API tokens and browser sessions; times are in seconds since 1970."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody who may sign in. ``seen`` is when they last did; without a password they need a link or a provider."""

    id: str
    roles: tuple[str, ...] = ()
    disabled: bool = False
    has_password: bool = False
    created: float
    seen: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A named set of permissions; ``fixed`` marks the administrators', which cannot be changed."""

    name: str
    description: str = ""
    permissions: tuple[str, ...] = ()
    fixed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token by which a program acts for ``user``; the secret itself is kept nowhere.

    ``permissions`` narrows what the user may do; ``None`` leaves it as it is. ``expires`` of ``None`` is never.
    """

    id: str
    user: str
    name: str
    permissions: tuple[str, ...] | None = None
    created: float
    expires: float | None = None
    used: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserSession:
    """A browser that is signed in; ``agent`` is what it says of itself, ``expires`` when it ends at the latest."""

    id: str
    user: str
    created: float
    seen: float
    expires: float
    agent: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleChange:
    """Something that was changed about people.

    ``action`` is ``<area>:<verb>``, as in the audit log; ``users`` are those whom it touches, ``None`` for all;
    ``actor`` and ``subject`` say who did it to whom; ``detail`` holds plain facts and never a secret.
    """

    action: str
    users: frozenset[str] | None
    actor: str
    subject: str
    detail: tuple[tuple[str, str], ...] = ()
