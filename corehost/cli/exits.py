"""What the exit codes of the command mean."""

from __future__ import annotations

from enum import IntEnum

from corehost.contract import errors


class ExitCode(IntEnum):
    """How a command ended; a script may rely on the numbers."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    DENIED = 4
    NOT_FOUND = 5
    BUSY = 6
    PLUGIN_FAULT = 7

    @property
    def meaning(self) -> str:
        """What the code says, in a few words."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.FAILED: "refused, or failed",
    ExitCode.USAGE: "the command line or a setting is not valid",
    ExitCode.UNREACHABLE: "no host answers",
    ExitCode.DENIED: "not signed in, or not permitted",
    ExitCode.NOT_FOUND: "there is no such plugin, method, handler or target",
    ExitCode.BUSY: "busy or late: try again",
    ExitCode.PLUGIN_FAULT: "a plugin failed, and the host was started with --strict",
}

_TABLE: tuple[tuple[type[errors.CorehostError], ExitCode], ...] = (
    (errors.SettingsError, ExitCode.USAGE),
    (errors.UnreachableError, ExitCode.UNREACHABLE),
    (errors.UnauthenticatedError, ExitCode.DENIED),
    (errors.PermissionDeniedError, ExitCode.DENIED),
    (errors.NotAllowedError, ExitCode.DENIED),
    (errors.NotFoundError, ExitCode.NOT_FOUND),
    (errors.OverloadedError, ExitCode.BUSY),
    (errors.LateError, ExitCode.BUSY),
)


def exit_code_of(error: errors.CorehostError) -> ExitCode:
    """Return the code with which a command ends after *error*."""
    return next((code for kind, code in _TABLE if isinstance(error, kind)), ExitCode.FAILED)
