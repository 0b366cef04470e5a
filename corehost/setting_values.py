"""Read one raw value of a setting, a string or what TOML holds; each raises ``ValueError`` saying what it expects."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

LOG_LEVELS = ("debug", "info", "warning", "error")
_TRUTH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}

Parse = Callable[[Any], Any]
"""Reads one raw value; raises ``ValueError`` saying what it expects."""


def text(value: Any) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text that is not empty")
    return value.strip()


def path(value: Any) -> Path:
    """Read a path; ``~`` is resolved."""
    try:
        return Path(value if isinstance(value, Path) else text(value)).expanduser()
    except RuntimeError:
        raise ValueError("a path whose '~' names a user of this machine") from None


def network(value: Any) -> str:
    """Read an address, or a network such as ``10.0.0.0/8``."""
    try:
        return str(ipaddress.ip_network(text(value), strict=False))
    except ValueError:
        raise ValueError("an address such as '10.0.0.1' or a network such as '10.0.0.0/8'") from None


def truth(value: Any) -> bool:
    """Read a yes or no."""
    found = value if isinstance(value, bool) else _TRUTH.get(str(value).strip().lower())
    if found is None:
        raise ValueError("true or false")
    return found


def whole(least: int, most: int) -> Parse:
    """Return what reads a whole number from *least* to *most*."""

    def parse(value: Any) -> int:
        text = str(value)  # of a bool it is no digits, of a float it holds a point
        if not text.isdecimal() or len(text) > 9 or not least <= int(text) <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return parse


def one_of(*known: str) -> Parse:
    """Return what reads one of some words."""

    def parse(value: Any) -> str:
        if (found := str(value).strip().lower()) not in known:
            raise ValueError(f"one of {', '.join(known)}")
        return found

    return parse


def seconds(value: Any) -> float:
    """Read a duration in seconds."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0.0
    if isinstance(value, bool) or not 0.01 <= number <= 86_400:
        raise ValueError("seconds from 0.01 to 86400")
    return number


def level(value: Any) -> str:
    """Read a log level."""
    if str(value).lower() not in LOG_LEVELS:
        raise ValueError(f"one of {', '.join(LOG_LEVELS)}")
    return str(value).lower()


def origin(value: Any) -> str:
    """Read scheme, host and port, without a path."""
    given = text(value).rstrip("/")
    if not re.fullmatch(r"https?://(\[[0-9A-Fa-f:.]+\]|[^/?#@\s\[\]:]+)(:\d{1,5})?", given):
        raise ValueError("an address such as 'https://host.example', without a path")
    return given


def address(value: Any) -> str:
    """Read an http(s) address."""
    if not re.fullmatch(r"https?://[^/\s]\S*", text(value)):
        raise ValueError("an http(s) address")
    return text(value)


def host_name(value: Any) -> str:
    """Read a host with or without a port."""
    given = text(value).lower()
    if "/" in given or "@" in given or any(c.isspace() for c in given):
        raise ValueError("a host such as 'host.example' or 'host.example:8443'")
    return given


def secret(value: Any) -> str:
    """Read what nobody shall guess."""
    given = text(value)
    if len(given) < 16 or not given.isascii() or any(c.isspace() for c in given):
        raise ValueError("at least 16 visible ASCII characters")
    return given


def pair(value: Any) -> str:
    """Read ``value=role``."""
    given = text(value)
    left, _, right = given.rpartition("=")
    if not left.strip() or not right.strip():
        raise ValueError("a value of the claim, '=', and a role")
    return f"{left.strip()}={right.strip()}"
