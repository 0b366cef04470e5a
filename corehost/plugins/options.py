"""What an operator decides about plugins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from corehost.contract.budgets import Budget
from corehost.plugins.isolation.runner import IsolationOptions
from corehost.plugins.leaks import SECONDS
from corehost.plugins.signing.proof import PIN_OR_SIGNATURE, Needs
from corehost.plugins.sources import Origin
from corehost.state.storage import QUOTA


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginOptions:
    """How plugins are found and held.

    ``folders`` hold local plugins; ``external_urls`` are listed,
    and run if ``allow_external`` and they have what ``external_needs``; ``base_paths`` are those granted beyond
    ``/<id>``, by plugin id. Times are in seconds: the deadline of each life-cycle hook, the longest wait for work
    under way when a plugin goes, how often folders are scanned (0: never) and how long a new plugin must have been
    unchanged. With ``reload``, a plugin whose files change is reloaded;
    ``leak_seconds`` after its unload nothing of a plugin may be left, and with ``find_keepers`` it is looked for what
    keeps the rest. ``budgets`` change what plugins may spend of errors and time before they are held back;
    ``throttle_seconds`` is for how long, ``quarantine_seconds`` the first pause before a quarantined one is tried
    again. ``quota`` is the most bytes of one plugin's storage. ``isolated`` names the plugins that run in processes
    of their own though their manifests do not ask for it. ``origins`` are further plugins, wherever they lie. An
    upgraded plugin may make ``trial_errors`` errors in its first ``trial_seconds``; a new version is tried in another
    process for ``rehearsal_seconds`` at most.
    """

    folders: tuple[Path, ...] = ()
    builtin_package: str | None = "builtin_plugins"
    entry_points: bool = True
    external_urls: tuple[str, ...] = ()
    allow_external: bool = False
    external_needs: Needs = PIN_OR_SIGNATURE
    allow_loopback_http: bool = False
    safe_mode: bool = False
    hook_seconds: float = 10.0
    drain_seconds: float = 10.0
    scan_seconds: float = 1.0
    settle_seconds: float = 0.5
    reload: bool = False
    leak_seconds: float = SECONDS
    find_keepers: bool = False
    budgets: tuple[Budget, ...] = ()
    throttle_seconds: float = 60.0
    quarantine_seconds: float = 30.0
    base_paths: Mapping[str, str] = field(default_factory=dict)
    quota: int = QUOTA
    isolated: frozenset[str] = frozenset()
    origins: tuple[Origin, ...] = ()
    trial_seconds: float = 30.0
    trial_errors: int = 10
    rehearsal_seconds: float = 120.0
    isolation: IsolationOptions = field(default_factory=IsolationOptions)
