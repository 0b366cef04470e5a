"""Know what each plugin may do: what it asks for, and what the operator decided on that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from corehost.contract.errors import ConsentNeededError, Fault, InvalidError, NotFoundError
from corehost.contract.manifest import Manifest
from corehost.contract.meanings import meaning_of
from corehost.contract.permissions import API_EXPOSE, PLUGINS_COMMUNICATE, ROUTES_REGISTER, PermissionSet
from corehost.plugins.registry import Plugin, Registry
from corehost.plugins.sources import Origin
from corehost.state.audit import AuditLog
from corehost.state.grants import Decision
from corehost.state.grants import Grants as Decisions

STANDING: Final = frozenset({ROUTES_REGISTER, API_EXPOSE, PLUGINS_COMMUNICATE})
"""What leaves something standing that no door is asked for again: pages, methods, subscriptions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A permission that a plugin asks for: what it lets it do, whether it has it, and who decided that, if anybody."""

    permission: str
    meaning: str
    granted: bool
    by: str | None = None
    at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a decision changed for a plugin: which permissions came and went, in the order of its manifest."""

    plugin_id: str
    given: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()

    @property
    def must_restart(self) -> bool:
        """Whether what the plugin set up by a permission that it lost must be taken down."""
        return not STANDING.isdisjoint(self.taken)


class Grants:
    """The grants of all plugins.

    What comes with the host or was put there by its operator is granted what it asks for, but for what was taken
    away. A plugin from elsewhere is granted what somebody agreed to, and does not run before everything that it asks
    for was decided on. *changed* is told of every change, in the thread of whoever decides.
    """

    def __init__(
        self,
        registry: Registry,
        decisions: Decisions,
        audit: AuditLog,
        *,
        changed: Callable[[Plugin, Change], None] = lambda _plugin, _change: None,
    ) -> None:
        self._registry = registry
        self._decisions = decisions
        self._audit = audit
        self._changed = changed
        self._lock = threading.Lock()
        self._pending: dict[str, tuple[str, ...]] = {}
        self._known: dict[str, dict[str, Decision]] | None = None

    def granted(self, origin: Origin, manifest: Manifest) -> PermissionSet:
        """Return what a plugin of this origin and manifest is granted."""
        decided = self._decided(manifest.id)
        by_default = _is_trusted(origin)
        return PermissionSet(
            name for name in manifest.permissions if (decided[name].granted if name in decided else by_default)
        )

    def undecided(self, origin: Origin, manifest: Manifest) -> tuple[str, ...]:
        """Return what the plugin asks for and somebody has still to decide on."""
        if _is_trusted(origin):
            return ()
        decided = self._decided(manifest.id)
        return tuple(name for name in manifest.permissions if name not in decided)

    def require_consent(self, plugin: Plugin, manifest: Manifest) -> None:
        """Raise ``ConsentNeededError`` unless all that *plugin* asks for in *manifest* was decided on."""
        self._require_decided(manifest.id, self.undecided(plugin.origin, manifest))

    def require_upgrade(self, manifest: Manifest, running: Plugin | None, *, from_elsewhere: bool) -> None:
        """Raise ``ConsentNeededError`` if what is to be installed asks for more than was agreed to."""
        self._require_decided(manifest.id, self.unagreed(manifest, running, from_elsewhere=from_elsewhere))

    def unagreed(self, manifest: Manifest, running: Plugin | None, *, from_elsewhere: bool) -> tuple[str, ...]:
        """Return what is to be installed asks for beyond what was agreed to.

        In place of *running* that is what the running one does not ask for; of what is new, nothing, as the operator
        brought it. If it comes *from_elsewhere* it is everything, whatever runs now.
        """
        if running is None and not from_elsewhere:
            return ()
        present = None if running is None or from_elsewhere else running.manifest
        known = () if present is None else present.permissions
        decided = self._decided(manifest.id)
        return tuple(name for name in manifest.permissions if name not in known and name not in decided)

    def awaited(self, plugin_id: str) -> tuple[str, ...]:
        """Return what a plugin, or what is to be installed in its place, was refused for want of a decision."""
        decided = self._decided(plugin_id)
        return tuple(name for name in self._pending.get(plugin_id, ()) if name not in decided)

    def apply(self, plugin: Plugin) -> None:
        """Give *plugin* what it is granted now."""
        with self._lock:
            if plugin.manifest is not None:
                plugin.granted = self._granted_now(plugin)

    def describe(self, plugin_id: str) -> tuple[Grant, ...]:
        """Return what the plugin asks for, and what waits for a decision, in the order of its manifest.

        Raises ``NotFoundError``, also for one whose manifest could not be read.
        """
        plugin, decided = self._registry.find(plugin_id), self._decided(plugin_id)
        if plugin is None:  # it is to be installed
            asked, granted = tuple(decided), PermissionSet(name for name in decided if decided[name].granted)
        else:
            asked, granted = plugin.manifest.permissions if plugin.manifest else (), self._granted_now(plugin)
        names = dict.fromkeys((*asked, *self.awaited(plugin_id)))
        if plugin is None and not names:
            self._registry.get(plugin_id)
        if plugin is not None and plugin.manifest is None and not names:
            raise NotFoundError(f"The manifest of plugin {plugin_id!r} is not known, so neither is what it asks for.")
        return tuple(_grant(name, name in granted, decided.get(name)) for name in names)

    def decide(self, plugin_id: str, decisions: Mapping[str, bool], *, by: str) -> Change:
        """Grant and revoke permissions, from this moment on; *by* is who decides, such as ``user:ann``.

        Raises ``NotFoundError``, and ``InvalidError`` for permissions that the plugin does not ask for.
        """
        asked = {grant.permission for grant in self.describe(plugin_id)}
        if faults := [_unasked(plugin_id, name) for name in decisions if name not in asked]:
            raise InvalidError("These permissions cannot be decided on.", faults)
        plugin = self._registry.find(plugin_id)
        with self._lock:
            before = PermissionSet() if plugin is None else self._granted_now(plugin)
            self._decisions.decide(plugin_id, decisions, by=by)
            self._known = None
            now = PermissionSet() if plugin is None else self._granted_now(plugin)
            if plugin is not None:
                plugin.granted = now
        for name, is_granted in decisions.items():
            action = "grant:give" if is_granted else "grant:revoke"
            self._audit.record(action, actor=by, subject=plugin_id, detail={"permission": name})
        change = Change(
            plugin_id=plugin_id,
            given=tuple(name for name in decisions if name in now and name not in before),
            taken=tuple(name for name in decisions if name in before and name not in now),
        )
        if plugin is not None:
            self._changed(plugin, change)
        return change

    def forget(self, plugin_id: str) -> None:
        """Drop what was decided for a plugin that was removed, so that a later one of its id inherits nothing."""
        with self._lock:
            self._decisions.forget(plugin_id)
            self._pending.pop(plugin_id, None)
            self._known = None

    def _require_decided(self, plugin_id: str, missing: tuple[str, ...]) -> None:
        if missing:
            self._pending[plugin_id] = missing
            text = f"Plugin {plugin_id!r} waits for consent: it asks for {', '.join(missing)}."
            raise ConsentNeededError(f"{text} Agree with 'corehost plugin consent {plugin_id}'.", missing)

    def _granted_now(self, plugin: Plugin) -> PermissionSet:
        return PermissionSet() if plugin.manifest is None else self.granted(plugin.origin, plugin.manifest)

    def _decided(self, plugin_id: str) -> Mapping[str, Decision]:
        # All at once: a start with a thousand plugins must not ask the database a thousand times.
        known = self._known
        if known is None:
            known = self._known = self._decisions.all()
        return known.get(plugin_id, {})


def _is_trusted(origin: Origin) -> bool:
    return origin.kind != "external"


def _grant(permission: str, is_granted: bool, decision: Decision | None) -> Grant:
    return Grant(
        permission=permission,
        meaning=meaning_of(permission),
        granted=is_granted,
        by=decision.by if decision else None,
        at=decision.at if decision else None,
    )


def _unasked(plugin_id: str, permission: str) -> Fault:
    return Fault(path=f"/grants/{permission}", message=f"Plugin {plugin_id!r} does not ask for {permission!r}.")
