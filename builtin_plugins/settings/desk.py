"""What one load of the plugin works with: it reads and writes settings through the host, and tells of changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TypedDict

from corehost import (
    ConflictError,
    DisabledError,
    Message,
    NotFoundError,
    PluginContext,
    PluginInstance,
    Writable,
    writable,
)

_MOMENT = 0.1
"""Seconds."""


class Overview(TypedDict):
    """How many plugins there are, and how they fare."""

    total: int
    enabled: int
    failing: int


class Desk:
    """Where settings are changed; usable once ``start`` was called."""

    def __init__(self) -> None:
        self.overview: Writable[Overview] = writable({"total": 0, "enabled": 0, "failing": 0})
        self._context: PluginContext | None = None
        self._is_due = False

    @property
    def context(self) -> PluginContext:
        """The plugin's context."""
        if self._context is None:
            raise ConflictError("Settings is not set up yet. Try again when it is enabled.")
        return self._context

    def start(self, context: PluginContext) -> None:
        """Follow plugins and settings, whoever changes them."""
        self._context = context
        plugins = context.core.plugins
        plugins.on_plugin_load(lambda _: self._count_soon())
        plugins.on_plugin_unload(lambda _: self._count_soon())
        plugins.on_plugin_error(lambda _, __: self._count_soon())
        context.core.events.on("config:changed", self._tell_config)
        self.count()

    def count(self) -> None:
        """Count the plugins anew."""
        self._is_due = False
        plugins = self.context.core.plugins.get_all()
        by_status = Counter(plugin.status for plugin in plugins)
        self.overview.set({"total": len(plugins), "enabled": by_status["enabled"], "failing": by_status["error"]})

    def _count_soon(self) -> None:
        """Count once for all plugins that come or go within a moment: when the host starts, all of them do."""
        if not self._is_due:
            self._is_due = True
            with suppress(DisabledError):  # this plugin goes, too
                self.context.later(_MOMENT, self.count)

    def plugin(self, plugin_id: str) -> PluginInstance:
        """Return a plugin; raises ``NotFoundError``."""
        found = self.context.core.plugins.get(plugin_id)
        if found is None:
            raise NotFoundError(f"There is no plugin {plugin_id!r}.")
        return found

    def config(self, plugin_id: str) -> Mapping[str, Any]:
        """Return a plugin's settings; a secret that is set reads ``SECRET_MASK``."""
        return self.context.core.plugins.get_config(plugin_id)

    def save(self, plugin_id: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Replace a plugin's settings, at once; raises ``InvalidError`` with a fault for each that is wrong."""
        return self.context.core.plugins.set_config(plugin_id, values)

    def choose_theme(self, theme: str) -> None:
        """Choose the theme of the user behind the call; Core UI keeps it and says when it has changed."""
        self.context.core.plugins.call("core-ui", "setTheme", {"theme": theme})

    def tell_theme(self, message: Message) -> None:
        """Tell everybody that a user chose another theme."""
        user, theme = message.payload["user"], message.payload["theme"]
        messages = self.context.core.messages
        messages.send("settings:theme:changed", {"user": user, "theme": theme})
        messages.send("user:preferences:changed", {"userId": user, "preferences": {"theme": theme}})

    def _tell_config(self, change: Mapping[str, Any]) -> None:
        self.context.core.messages.send("settings:config:changed", {"plugin": change["id"], "settings": change["keys"]})
