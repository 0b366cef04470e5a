"""SemVer versions, and whether one lies in an npm range."""

from __future__ import annotations

from typing import Any

import nodesemver
import semver


def version_fault(value: Any) -> str | None:
    """Return what is wrong with *value* as a SemVer 2.0 version, or ``None``."""
    if isinstance(value, str) and semver.Version.is_valid(value):
        return None
    return f"{value!r} is no SemVer version such as '1.0.0'."


def range_fault(value: Any) -> str | None:
    """Return what is wrong with *value* as an npm range, or ``None``."""
    try:
        nodesemver.make_range(value, False)
    except (ValueError, TypeError, AttributeError):
        return f"{value!r} is no version range such as '^1.0.0' or '>=1.2 <2'."
    return None


def satisfies(version: str, wanted: str) -> bool:
    """Tell whether *version* lies in the npm range *wanted*."""
    return bool(nodesemver.satisfies(version, wanted, loose=False))
