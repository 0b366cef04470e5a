"""Carry errors from one process to another, as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from corehost.contract import errors
from corehost.contract.errors import (
    ConflictError,
    CorehostError,
    DependantsError,
    Fault,
    InvalidError,
    PermissionDeniedError,
    PluginFaultError,
)

_MAX_TEXT: Final = 4_000
_MAX_FAULTS: Final = 100
_NAME: Final = re.compile(r"[A-Za-z_]\w{0,59}")


class OvertakenError(ConflictError):
    """Somebody else changed the value in between."""


class ForeignError(Exception):
    """What a plugin raised in its own process and is none of our errors; its class bears the name of the original."""


def error_to_json(error: BaseException) -> dict[str, Any]:
    """Return *error* in JSON's types."""
    text = error.text if isinstance(error, CorehostError) else str(error)
    kept: dict[str, Any] = {"name": type(error).__name__, "text": text[:_MAX_TEXT]}
    if isinstance(error, InvalidError):
        kept["faults"] = [{"path": f.path, "message": f.message[:_MAX_TEXT]} for f in error.faults[:_MAX_FAULTS]]
    for name in ("permission", "subject", "plugin_id"):
        if isinstance(value := getattr(error, name, None), str):
            kept[name] = value
    if isinstance(error, DependantsError):
        kept["dependants"] = list(error.dependants)
    return kept


def error_from_json(kept: Any) -> Exception:
    """Return the error that *kept* was made of, whatever it holds: the other side may not be honest."""
    if not isinstance(kept, Mapping):
        return ForeignError("An error came that cannot be read.")
    text, name = str(kept.get("text", ""))[:_MAX_TEXT], str(kept.get("name", ""))
    kind = getattr(errors, name, None)
    if not (isinstance(kind, type) and issubclass(kind, CorehostError)):
        return _foreign(name)(text)
    if issubclass(kind, InvalidError):
        return _invalid(kind, text, kept.get("faults"))
    if kind is PermissionDeniedError:
        return PermissionDeniedError(text, permission=_text(kept, "permission"), subject=_text(kept, "subject"))
    if kind is PluginFaultError:
        return PluginFaultError(text, plugin_id=_text(kept, "plugin_id"))
    if kind is DependantsError:
        return DependantsError(text, [str(name) for name in kept.get("dependants") or ()])
    return kind(text)


def _invalid(kind: type[InvalidError], text: str, faults: Any) -> InvalidError:
    error = kind("")
    listed = faults[:_MAX_FAULTS] if isinstance(faults, list) else []
    error.faults = tuple(
        Fault(path=_text(f, "path"), message=_text(f, "message")) for f in listed if isinstance(f, Mapping)
    )
    error.args, error.text = (text,), text  # it lists the faults already
    return error


def _foreign(name: str) -> type[ForeignError]:
    """Return a class with the name of the original, which the text of the host's own error will show."""
    return type(name if _NAME.fullmatch(name) else "Error", (ForeignError,), {})


def _text(kept: Mapping[str, Any], name: str) -> str:
    return str(kept.get(name, ""))[:_MAX_TEXT]
