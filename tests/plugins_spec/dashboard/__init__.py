"""The specification's example plugin, carried over line by line (plus `api:expose` and `user:read`)."""

from __future__ import annotations

from corehost import ApiSpec, Handler, Manifest, Message, MessagesSpec, PluginContext, RoutesSpec, StoresSpec, hookimpl

from .api import api
from .manifest import manifest
from .messages import messages
from .routes import routes
from .stores import preferences, stores


@hookimpl
def corehost_manifest() -> Manifest:
    return manifest


@hookimpl
def corehost_api() -> ApiSpec:
    return api


@hookimpl
def corehost_messages() -> MessagesSpec:
    return messages


@hookimpl
def corehost_stores() -> StoresSpec:
    return stores


@hookimpl
def corehost_routes() -> RoutesSpec:
    return routes


@hookimpl
async def corehost_setup(context: PluginContext) -> None:
    core, logger, storage = context.core, context.logger, context.storage

    logger.info("Dashboard plugin initializing...")

    # Load saved preferences
    prefs = storage.get("preferences")
    if prefs:
        preferences.set(prefs)

    # Subscribe to core events
    core.events.on("user:login", lambda user: logger.info("User logged in: %s", user))

    # Subscribe to messages from other plugins
    def handle(message: Message) -> None:
        logger.debug("Analytics data updated: %s", message.payload)
        # Update dashboard widgets

    core.messages.subscribe("analytics:data-updated", Handler(handle=handle))

    logger.info("Dashboard plugin initialized")


@hookimpl
async def corehost_teardown() -> None:
    print("Dashboard plugin cleaning up...")


# lifecycle: onEnable, onDisable
@hookimpl
def corehost_enable() -> None:
    print("Dashboard enabled")


@hookimpl
def corehost_disable() -> None:
    print("Dashboard disabled")
