"""How the shell looks: the operator's brand and accent, and each user's theme."""

from __future__ import annotations

from typing import Any

from builtin_plugins.core_ui.manifest import MANIFEST
from corehost import ConflictError, InvalidError, PluginContext, Writable, writable


class Appearance:
    """What one load of the plugin works with; usable once ``start`` was called."""

    def __init__(self) -> None:
        self.look: Writable[dict[str, str]] = writable({"brand": "corehost", "accent": "teal"})
        self._context: PluginContext | None = None

    @property
    def context(self) -> PluginContext:
        """The plugin's context."""
        if self._context is None:
            raise ConflictError("Core UI is not set up yet. Try again when it is enabled.")
        return self._context

    def start(self, context: PluginContext) -> None:
        """Take the operator's settings over, now and whenever they change."""
        self._context = context
        self._follow_config({"id": MANIFEST.id})
        context.core.events.on("config:changed", self._follow_config)

    def theme(self) -> str:
        """Return the theme of the user behind the request: ``light``, ``dark`` or ``auto``."""
        default = self.context.config["defaultTheme"]
        if self.context.users.current() is None:
            return str(default)
        return str(self.context.users.get_preference("theme", default))

    def set_theme(self, theme: str) -> None:
        """Keep *theme* for the user behind the request, and tell their open pages."""
        user = self.context.users.current()
        if user is None:
            raise InvalidError("A theme belongs to a user, and there is none behind this call. Sign in first.")
        self.context.users.set_preference("theme", theme)
        self.context.core.messages.send("core-ui:theme:changed", {"user": user.id, "theme": theme})

    def values(self) -> dict[str, Any]:
        """Return what the shell's template needs beyond what the host gives it."""
        return {**self.look.get(), "theme": self.theme()}

    def _follow_config(self, change: dict[str, Any]) -> None:
        if change["id"] == MANIFEST.id:
            config = self.context.config
            self.look.set({"brand": config["brand"], "accent": config["accent"]})
