"""Every hook that the host asks a plugin for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pluggy

from corehost.contract.api import ApiSpec
from corehost.contract.context import PluginContext
from corehost.contract.manifest import Manifest
from corehost.contract.message import Message, MessagesSpec
from corehost.contract.routes import RoutesSpec
from corehost.contract.stores import StoresSpec
from corehost.contract.user import UserContext

PROJECT = "corehost"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookspecsSpec:
    """Hooks that a plugin specifies for others.

    ``namespace`` is a class or module whose functions are marked ``@hookspec``; ``schemas`` gives by hook name the
    JSON Schema of the value that an implementer returns. Implementers mark theirs ``@hookimpl(optionalhook=True)``.
    """

    namespace: Any = field(metadata={"live": True})
    schemas: Mapping[str, Any] = field(default_factory=dict)


# --- what a plugin declares: asked once a load, before setup; None means "nothing of that kind" ---


@hookspec(firstresult=True)
def corehost_manifest() -> Manifest | None:
    """Return who the plugin is. May be left out where ``manifest.json`` stands beside the code."""


@hookspec(firstresult=True)
def corehost_api() -> ApiSpec | None:
    """Return the methods that others may call. Needs ``api:expose``."""


@hookspec(firstresult=True)
def corehost_routes() -> RoutesSpec | None:
    """Return the plugin's pages. Needs ``routes:register``."""


@hookspec(firstresult=True)
def corehost_messages() -> MessagesSpec | None:
    """Return handlers, schemas and subscriptions. Needs ``plugins:communicate``."""


@hookspec(firstresult=True)
def corehost_stores() -> StoresSpec | None:
    """Return the stores that others may read, and those that they may write."""


@hookspec(firstresult=True)
def corehost_hookspecs() -> HookspecsSpec | None:
    """Return hooks of the plugin's own, which others may implement."""


# --- a plugin's life: each may be async; each has a deadline of 10 s; a raise undoes the step ---


@hookspec
def corehost_before_load() -> None:
    """Called after the contracts were checked, before setup."""


@hookspec
def corehost_setup(context: PluginContext) -> None:
    """Prepare to work. What the context opens is closed by itself when the plugin goes."""


@hookspec
def corehost_load() -> None:
    """Called after setup; the plugin's status is ``loaded``."""


@hookspec
def corehost_enable() -> None:
    """Called before the plugin's routes, subscriptions, methods and stores go live."""


@hookspec
def corehost_disable() -> None:
    """Called when the plugin is about to be switched off, while all of it is still live."""


@hookspec
def corehost_unload() -> None:
    """Called when routes and subscriptions are off and the last request has left."""


@hookspec
def corehost_teardown() -> None:
    """Called last; the context is still usable. Give back what ``corehost_setup`` took outside of the context."""


@hookspec
def corehost_error(error: Exception) -> None:
    """Told that a step of the plugin's life failed; the plugin is being unwound."""


@hookspec
def corehost_configure(config: Mapping[str, Any]) -> None:
    """Told the whole new configuration before it applies; raise to refuse it, the text is shown to the operator."""


@hookspec
def corehost_selftest(context: PluginContext) -> None:
    """Raise if the plugin cannot work here; asked by ``corehost plugin check`` and before an upgrade."""


# --- host-wide: asked of every enabled plugin in load order; one that raises is charged and skipped ---


@hookspec
def corehost_authenticate(headers: Mapping[str, str]) -> UserContext | None:
    """Say who sends a request with these (lower-case) headers; ``None`` leaves it to the next and to the host."""


@hookspec
def corehost_check_permission(user: UserContext, permission: str) -> bool | None:
    """Decide whether *user* holds *permission*; ``None`` leaves it to the next and to the host."""


@hookspec
def corehost_before_publish(message: Message) -> Message | None:
    """Look at a message before it is published: return another to amend payload or meta, ``None`` to let it pass,
    raise ``PermissionDeniedError`` to veto it (the sender gets the error)."""


@hookspec
def corehost_template_context(user: UserContext | None) -> Mapping[str, Any] | None:
    """Return values that every template of the shell shall see."""


@hookspec
def corehost_commands(cli: Any) -> None:
    """Add click commands to *cli*, the group ``corehost``; asked of installed plugins only, by the command itself."""
