"""Load two versions of a plugin on scratch hosts, and compare what they declare."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corehost.cli.checking import scratch_host
from corehost.contract.compatibility import Change, bump_due, compare, is_announced
from corehost.contract.errors import InvalidError
from corehost.plugins.declared import declared_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What others would notice of the step ``before`` to ``after``; whether the number announces it, and which part of
    it (``bump``) should rise."""

    plugin: str
    before: str
    after: str
    bump: str
    announced: bool
    changes: tuple[Change, ...]


def compare_plugins(old: Path, new: Path) -> Comparison:
    """Compare the plugins at two paths; raises ``InvalidError`` if one cannot be loaded, or they are not the same."""
    (plugin_id, before, first), (other_id, after, second) = _declared(old), _declared(new)
    if plugin_id != other_id:
        text = f"{old} is the plugin {plugin_id!r}, {new} is {other_id!r}. Name two versions of one plugin."
        raise InvalidError(text)
    changes = compare(first, second)
    return Comparison(
        plugin=plugin_id,
        before=before,
        after=after,
        bump=bump_due(changes),
        announced=is_announced(before, after, changes),
        changes=changes,
    )


def _declared(path: Path) -> tuple[str, str, dict[str, Any]]:
    with scratch_host(path) as (_, plugin):
        if not plugin.is_enabled:
            raise InvalidError(f"{path} cannot be loaded: {plugin.error} 'corehost plugin check' tells all faults.")
        return plugin.id, plugin.version, declared_by(plugin)
