"""Tell everyone what becomes of plugins: as events, signals and messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import structlog

from corehost.contract.errors import CorehostError
from corehost.messaging.bus import Bus
from corehost.messaging.events import Events
from corehost.messaging.signals import Signals
from corehost.plugins.grants import Change
from corehost.plugins.registry import Plugin

_ON_THE_BUS = frozenset({"enabled", "disabled", "error"})


class Announcements:
    """Events ``plugin:<what>``, the signals ``plugin_<what>``, and messages ``core:plugin:<what>`` for browsers."""

    def __init__(self, bus: Bus, events: Events, signals: Signals) -> None:
        self._log = structlog.get_logger("corehost.plugins")
        self._bus = bus
        self._events = events
        self._signals = signals

    def plugin(self, plugin: Plugin, what: str) -> None:
        """Tell that *plugin* was ``loaded``, ``enabled``, ``disabled``, ``unloaded`` or met an ``error``."""
        data = {"id": plugin.id, "version": plugin.version, "status": plugin.status, "error": plugin.error}
        self._log.info(f"plugin {what}", plugin=plugin.id, version=plugin.version, error=plugin.error)
        self._events.emit(f"plugin:{what}", data)
        if what in _ON_THE_BUS:
            self._send(f"core:plugin:{what}", data)
        values = {"reason": plugin.error} if what == "error" else {}
        self._signals.tell(getattr(self._signals, f"plugin_{what}"), self, plugin_id=plugin.id, **values)

    def reloaded(self, plugin: Plugin) -> None:
        """Tell that *plugin* runs on new code; browsers that show it look anew."""
        self._log.info("plugin reloaded", plugin=plugin.id, version=plugin.version)
        self._tell("reloaded", {"id": plugin.id, "version": plugin.version})

    def not_reloaded(self, plugin: Plugin, error: CorehostError) -> None:
        """Tell why *plugin* goes on with the code that it had."""
        self._log.error("plugin not reloaded", plugin=plugin.id, error=error.text)
        self._tell("not-reloaded", {"id": plugin.id, "version": plugin.version, "error": error.text})

    def upgraded(self, plugin_id: str, version: str | None, before: str | None) -> None:
        """Tell that a plugin was changed over to another version."""
        self._log.info("plugin upgraded", plugin=plugin_id, version=version, before=before)
        self._tell("upgraded", {"id": plugin_id, "version": version, "from": before})

    def returned(self, plugin_id: str, version: str | None, failed: str | None, reason: str) -> None:
        """Tell why the *failed* version of a plugin gave way to the one before."""
        self._log.error("plugin upgrade taken back", plugin=plugin_id, version=version, failed=failed, error=reason)
        self._tell("returned", {"id": plugin_id, "version": version, "failed": failed, "error": reason})

    def job(self, job: dict[str, Any]) -> None:
        """Tell how far an installation, upgrade or removal is."""
        self._send("core:install:progress", job)

    def leaked(self, plugin: Plugin, version: str, left: Sequence[str]) -> None:
        """Tell what *plugin* has left behind."""
        self._tell("leaked", {"id": plugin.id, "version": version, "left": list(left)})

    def blocked(self, plugin: Plugin, evidence: Mapping[str, Any]) -> None:
        """Tell that the lane of *plugin* stands still, and where."""
        self._tell("blocked", {"id": plugin.id, "version": plugin.version, **evidence})

    def held_back(self, plugin: Plugin, what: Literal["throttled", "released"], reason: str) -> None:
        """Tell that *plugin* is slowed down for having spent too much, or no longer."""
        self._tell(what, {"id": plugin.id, "version": plugin.version, "reason": reason})

    def config(self, plugin_id: str, keys: Sequence[str]) -> None:
        """Tell that the settings *keys* of a plugin have changed; their values are told to nobody."""
        data = {"id": plugin_id, "keys": list(keys)}
        self._events.emit("config:changed", data)
        self._send("core:config:changed", data)
        self._signals.tell(self._signals.config_changed, self, plugin_id=plugin_id, keys=tuple(keys))

    def grants(self, plugin: Plugin, change: Change) -> None:
        """Tell, *plugin* too, what it may do from now on and what no longer."""
        data = {"id": plugin.id, "given": list(change.given), "taken": list(change.taken)}
        self._events.emit("grants:changed", data)
        self._send("core:grants:changed", data)

    def _tell(self, what: str, data: dict[str, Any]) -> None:
        self._events.emit(f"plugin:{what}", data)
        self._send(f"core:plugin:{what}", data)

    def _send(self, message_type: str, data: dict[str, Any]) -> None:
        try:
            self._bus.send(message_type, data)
        except CorehostError as error:  # a plugin may veto any message; a plugin's life goes on all the same
            self._log.warning("announcement not sent", type=message_type, reason=error.text)
