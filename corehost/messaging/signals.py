"""The host's public signals, for code in the host's process that is no plugin."""

from __future__ import annotations

from typing import Any

import blinker
import structlog


class Signals:
    """One host's blinker signals. Connect with ``signals.plugin_enabled.connect(receiver)``.

    Receivers are called in the thread in which it happened, and must be quick.
    """

    def __init__(self) -> None:
        namespace = blinker.Namespace()
        self._log = structlog.get_logger("corehost.messaging")
        self.message_published = namespace.signal("message-published", "Sent after a message; ``message``.")
        self.message_dropped = namespace.signal("message-dropped", "Sent for a dead letter; ``letter``.")
        self.plugin_loaded = namespace.signal("plugin-loaded", "Sent after loading; ``plugin_id``.")
        self.plugin_enabled = namespace.signal("plugin-enabled", "Sent when a plugin is live; ``plugin_id``.")
        self.plugin_disabled = namespace.signal("plugin-disabled", "Sent when one is switched off; ``plugin_id``.")
        self.plugin_unloaded = namespace.signal("plugin-unloaded", "Sent when one is out of memory; ``plugin_id``.")
        self.plugin_error = namespace.signal("plugin-error", "Sent when one failed; ``plugin_id``, ``reason``.")
        self.config_changed = namespace.signal("config-changed", "Sent after a change; ``plugin_id``, ``keys``.")
        self.user_login = namespace.signal("user-login", "Sent after a sign-in; ``user``.")
        self.user_logout = namespace.signal("user-logout", "Sent after a sign-out; ``user``.")

    def tell(self, signal: blinker.NamedSignal, sender: Any, **values: Any) -> None:
        """Send *signal* if anyone listens; a receiver that raises is logged and stops nothing but the receivers."""
        if not signal.receivers:
            return
        try:
            signal.send(sender, **values)
        except Exception:  # noqa: BLE001  # a receiver may raise anything; what it was told has happened all the same
            self._log.exception("signal receiver failed", signal=signal.name)
