"""What of the host the life of a plugin needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from corehost.messaging.bus import Bus
from corehost.messaging.lanes import Lanes
from corehost.plugins.announcements import Announcements
from corehost.plugins.config import Config
from corehost.plugins.context import Contexts
from corehost.plugins.faults import Faults
from corehost.plugins.gateway import Gateway
from corehost.plugins.grants import Grants
from corehost.plugins.installing import ExternalFolder
from corehost.plugins.isolation.runner import Isolation
from corehost.plugins.loader import Loader
from corehost.plugins.registry import Plugin, Registry

Undo = Callable[[], None]
Part = Callable[[Plugin], Undo]
"""Makes something of an enabled plugin live; the undo takes it off again, waiting for what is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What of the host a plugin's life needs.

    *parts* are attached in order when it goes live, *asleep* when it is listed without being loaded; *inspect* is
    called with the id of a plugin of whose code something has run.
    """

    registry: Registry
    loader: Loader
    contexts: Contexts
    grants: Grants
    config: Config
    gateway: Gateway
    bus: Bus
    lanes: Lanes
    faults: Faults
    isolation: Isolation
    external: ExternalFolder
    announce: Announcements
    parts: list[Part]
    base_paths: dict[str, str]
    inspect: Callable[[str], None]
    hook_seconds: float = 10.0
    drain_seconds: float = 10.0
    isolated: frozenset[str] = frozenset()
    asleep: list[Part] = field(default_factory=list)
