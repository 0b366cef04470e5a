"""The errors of corehost: one class for each way in which something can be refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong in a checked value.

    ``path`` is a JSON Pointer (RFC 6901) into the value, ``""`` for the whole; ``message`` says what is
    wrong there and what was expected.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path or '/'}: {self.message}"


class CorehostError(Exception):
    """Base of all errors that the host raises on purpose; the text is fit to be shown to a person."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class InvalidError(CorehostError):
    """A value breaks its schema or cannot be read; ``faults`` names every place at once."""

    def __init__(self, text: str, faults: Iterable[Fault] = ()) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults)
        listed = "; ".join(str(fault) for fault in self.faults)
        super().__init__(f"{text} {listed}" if listed else text)


class MalformedError(InvalidError):
    """Input that cannot even be parsed: no JSON, no UTF-8, nested too deeply."""


class ManifestError(InvalidError):
    """A plugin's manifest or another of its declarations breaks the contract."""


class DependencyError(CorehostError):
    """A plugin cannot be loaded for want of another; the text names the whole chain."""


class UnauthenticatedError(CorehostError):
    """Nobody is signed in, or the token is unknown or used up."""


class PermissionDeniedError(CorehostError):
    """Somebody known asked for what they were not granted.

    ``permission`` is what was missing; ``subject`` is who lacks it (a plugin id or ``user:<id>``).
    """

    def __init__(self, text: str, *, permission: str = "", subject: str = "") -> None:
        super().__init__(text)
        self.permission = permission
        self.subject = subject


class NotFoundError(CorehostError):
    """The named thing (plugin, store, key, page) does not exist."""


class MethodNotFoundError(NotFoundError):
    """The plugin exists and has no such method."""


class NoHandlerError(NotFoundError):
    """A request was sent and nobody handles its type."""


class NoTargetError(NotFoundError):
    """A message was addressed to a plugin, user or session that is not there."""


class ConflictError(CorehostError):
    """The thing exists but its present state forbids this (disabled, already registered)."""


class DisabledError(ConflictError):
    """The plugin is known and not enabled."""


class DependantsError(ConflictError):
    """A plugin cannot be switched off while others need it; ``dependants`` lists them, in order of unloading."""

    def __init__(self, text: str, dependants: Sequence[str]) -> None:
        super().__init__(text)
        self.dependants: tuple[str, ...] = tuple(dependants)


class TooLargeError(CorehostError):
    """A body, message or value is over its size limit."""


class QuotaError(TooLargeError):
    """A plugin's storage is full."""


class OverloadedError(CorehostError):
    """There was no room within the time that the caller was ready to wait."""


class BusyError(OverloadedError):
    """All places for calls into the plugin are taken."""


class TooManyAttemptsError(OverloadedError):
    """Somebody guesses too fast; ``retry_after`` is in how many seconds the next try is allowed."""

    def __init__(self, text: str, *, retry_after: int = 1) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class LateError(CorehostError):
    """The deadline passed before an answer came."""


class HopLimitError(CorehostError):
    """Messages caused one another through more than 32 steps: most likely a loop."""


class PluginFaultError(CorehostError):
    """A plugin's own code raised, or broke the contract that it declared; ``plugin_id`` names the plugin."""

    def __init__(self, text: str, *, plugin_id: str = "") -> None:
        super().__init__(text)
        self.plugin_id = plugin_id


class NotAllowedError(CorehostError):
    """The operator has not switched this on (external plugins, isolation)."""


class ConsentNeededError(NotAllowedError):
    """A plugin from elsewhere asks for ``permissions`` that nobody has agreed to yet."""

    def __init__(self, text: str, permissions: Iterable[str]) -> None:
        super().__init__(text)
        self.permissions: tuple[str, ...] = tuple(permissions)


class AbortedError(CorehostError):
    """The caller no longer waits: raised by ``signal.raise_if_aborted()`` inside a handler."""


class UnreachableError(CorehostError):
    """There is no host at the address, or none that answers."""


class SettingsError(CorehostError):
    """A setting is unknown, malformed or contradicts another; the text names flag, variable and file key."""
