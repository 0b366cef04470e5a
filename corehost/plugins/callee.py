"""Find what is called in a plugin, or say why it cannot be called."""

from __future__ import annotations

import difflib

from corehost.contract.api import Method
from corehost.contract.errors import DisabledError, MethodNotFoundError
from corehost.plugins.registry import Plugin


def method_of(plugin: Plugin, name: str) -> Method:
    """Return a method; raises ``MethodNotFoundError`` that names the nearest."""
    methods = plugin.api.methods if plugin.api else {}
    if name not in methods:
        near = difflib.get_close_matches(str(name)[:80], list(methods), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise MethodNotFoundError(f"Plugin {plugin.id!r} has no method {str(name)[:80]!r}.{hint}")
    return methods[name]


def is_off(plugin: Plugin) -> DisabledError:
    """Return the error for who wants something of a plugin that is not enabled."""
    reason = f" ({plugin.error})" if plugin.error else ""
    return DisabledError(f"Plugin {plugin.id!r} is {plugin.status}{reason}. Enable it first.")
