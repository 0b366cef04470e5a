"""What one load of the dashboard works with: who may see which widgets, and whose layout is which."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from builtin_plugins.dashboard.layouts import Layout, default_layout, tidied
from builtin_plugins.dashboard.manifest import MANIFEST
from builtin_plugins.dashboard.stores import Preferences, Stores
from builtin_plugins.dashboard.widgets import OWN, Widget, contributed
from corehost import (
    ConflictError,
    DisabledError,
    InvalidError,
    Message,
    PermissionDeniedError,
    PluginContext,
    UserContext,
)

MANAGE = "plugin:dashboard:manage"
_MOMENT = 0.1
"""Seconds."""


class Board:
    """The dashboard's state and what can be done with it; usable once ``start`` was called."""

    def __init__(self) -> None:
        self.stores = Stores()
        self._context: PluginContext | None = None
        self._is_due = False

    @property
    def context(self) -> PluginContext:
        """The plugin's context."""
        if self._context is None:
            raise ConflictError("The dashboard is not set up yet. Try again when it is enabled.")
        return self._context

    def start(self, context: PluginContext) -> None:
        """Load what was saved, and follow the host's life and the other plugins."""
        self._context = context
        context.logger.info("Dashboard plugin initializing...")
        self._load_saved()
        core = context.core
        core.events.on("user:login", lambda user: context.logger.info("User logged in", user=user))
        core.events.on("config:changed", self._follow_config)
        core.messages.subscribe("analytics:data-updated", self._note_data)
        core.plugins.on_plugin_load(lambda _: self._collect_soon())
        core.plugins.on_plugin_unload(lambda _: self._collect_soon())
        context.logger.info("Dashboard plugin initialized")

    def collect(self) -> None:
        """Ask all plugins for their widgets anew; browsers that watch the store see what came and went."""
        self._is_due = False
        self.stores.is_loading.set(True)
        try:
            self.stores.widgets.set(self.widgets(None))
        finally:
            self.stores.is_loading.set(False)

    def _collect_soon(self) -> None:
        """Collect once for all plugins that come or go within a moment: when the host starts, all of them do."""
        if not self._is_due:
            self._is_due = True
            with suppress(DisabledError):  # this plugin goes, too
                self.context.later(_MOMENT, self.collect)

    def widgets(self, user: UserContext | None) -> list[Widget]:
        """Return all widgets that *user* may put on the dashboard."""
        return [*OWN, *contributed(self.context.hooks.call("dashboard_widgets", user=user))]

    def layout(self, user: UserContext | None, user_id: str | None = None) -> Layout:
        """Return the layout of *user*, or of *user_id* for those who manage the dashboard."""
        if user_id is not None and user is not None and user_id != user.id and MANAGE not in user.permissions:
            text = f"The layout of {user_id!r} is for that user and for those who hold {MANAGE!r}."
            raise PermissionDeniedError(text, permission=MANAGE, subject=f"user:{user.id}")
        owner = user_id or (user.id if user else None)
        own = self.context.storage.get(_layout_key(owner)) if owner else None
        return own or self.shared_layout(user)

    def shared_layout(self, user: UserContext | None) -> Layout:
        """Return the layout of those who arranged nothing themselves."""
        return self.stores.layout.get() or default_layout(self.context.config["defaultLayout"], self.widgets(user))

    def save_layout(self, user: UserContext | None, layout: Layout | None) -> Layout:
        """Keep *layout* for *user*, ``None`` going back to the shared one; tell the bus, and return what holds now."""
        if user is None:
            raise InvalidError("A layout belongs to a user, and there is none behind this call. Sign in first.")
        before = {placed["id"] for placed in self.layout(user)["widgets"]}
        if layout is None:
            self.context.storage.delete(_layout_key(user.id))
        else:
            self.context.storage.set(_layout_key(user.id), tidied(layout))
        now = self.layout(user)
        self._tell(user, before, now)
        return now

    def has_widget(self, widget_id: str) -> bool:
        """Tell whether some plugin offers the widget."""
        return any(widget["id"] == widget_id for widget in self.stores.widgets.get())

    def _tell(self, user: UserContext, before: set[str], now: Layout) -> None:
        messages = self.context.core.messages
        types = {widget["id"]: widget["type"] for widget in self.widgets(user)}
        for placed in now["widgets"]:
            if placed["id"] not in before and placed["id"] in types:
                added = {"widgetId": placed["id"], "widgetType": types[placed["id"]], "position": placed["position"]}
                messages.send("dashboard:widget:added", added)
        messages.send("dashboard:layout:changed", {"layout": now, "userId": user.id})

    def _load_saved(self) -> None:
        storage = self.context.storage
        self.stores.layout.set(storage.get("layout"))
        self.stores.preferences.set(storage.get("preferences") or self._default_preferences())
        # Whoever manages the dashboard sets these stores for everybody; what they set shall survive a restart.
        self.stores.layout.subscribe(lambda layout: self._keep("layout", layout, None))
        self.stores.preferences.subscribe(lambda chosen: self._keep("preferences", chosen, self._default_preferences()))

    def _keep(self, key: str, value: Any, default: Any) -> None:
        storage = self.context.storage
        if value == default:
            storage.delete(key)
        elif value != storage.get(key):
            storage.set(key, value)

    def _default_preferences(self) -> Preferences:
        return {"theme": "auto", "refreshInterval": self.context.config["refreshInterval"], "compactMode": False}

    def _follow_config(self, change: dict[str, Any]) -> None:
        if change["id"] == MANIFEST.id:
            interval = self.context.config["refreshInterval"]
            self.stores.preferences.update(lambda old: {**old, "refreshInterval": interval})

    def _note_data(self, message: Message) -> None:
        self.context.logger.debug("Analytics data updated", payload=message.payload)


def _layout_key(user_id: str) -> str:
    return f"layout:{user_id}"
