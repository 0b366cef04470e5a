"""Say in words a person understands what a permission lets a plugin do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from corehost.contract import permissions

_STANDARD: Final[Mapping[str, str]] = {
    permissions.STORAGE_READ: "Read what it has kept on this host.",
    permissions.STORAGE_WRITE: "Keep data of its own on this host, within its quota.",
    permissions.NETWORK_FETCH: "Send requests to other servers, and with them whatever it knows.",
    permissions.USER_READ: "See who uses it: your id, roles and permissions.",
    permissions.USER_WRITE: "Keep preferences for each person who uses it.",
    permissions.PLUGINS_COMMUNICATE: "Talk to other plugins: call them, send and hear messages, share values.",
    permissions.ROUTES_REGISTER: "Show pages, and entries in the menu.",
    permissions.API_EXPOSE: "Offer methods to people's programs and to other plugins.",
    permissions.METRICS_READ: "Read how busy this host and its plugins are.",
    permissions.PLUGINS_INSTALL: "Install, upgrade and remove plugins: whoever may do that can do everything.",
    permissions.KEYS_WRITE: "Say whose signatures let plugins from elsewhere in.",
    permissions.ALL: "Everything. Only for a plugin that you trust as you trust this host.",
    "host:configure": "Read and change the settings of other plugins, as far as the person behind it may.",
}
_OF_PLUGIN: Final[Mapping[str, str]] = {
    "use": "Use {whom} where that is asked for by name.",
    "manage": "Change {whom}: its stores and what only its managers may do.",
    "*": "Use and change {whom}.",
}


def meaning_of(permission: str) -> str:
    """Return one sentence that goes on from "The plugin may:"."""
    if (known := _STANDARD.get(permission)) is not None:
        return known
    first, *rest = permission.split(":")
    if first == "plugin" and len(rest) == 2 and rest[1] in _OF_PLUGIN:
        whom = "every plugin" if rest[0] == "*" else f"the plugin {rest[0]!r}"
        return _OF_PLUGIN[rest[1]].format(whom=whom)
    return f"Do what the plugin {first!r} asks this permission for; see its documentation."
