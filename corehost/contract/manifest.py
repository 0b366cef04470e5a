"""The manifest: what a plugin says of itself before any of its code is asked for more."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from corehost.contract.errors import Fault
from corehost.contract.records import checked
from corehost.contract.routes import NavigationItem
from corehost.contract.versions import range_fault, version_fault

RESERVED_IDS = frozenset(
    {"core", "corehost", "host", "user", "manifest", "messages", "api", "docs", "static", "metrics"}
)
SECRET_MASK = "********"
"""What a secret setting reads as once it is set."""
_KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PERMISSION = re.compile(r"[a-z][a-z0-9-]*(:[a-z0-9*-]+)+")


def id_fault(value: Any) -> str | None:
    """Return what is wrong with *value* as a plugin id, or ``None``."""
    if not isinstance(value, str) or not _KEBAB.fullmatch(value) or len(value) > 64:
        return f"{value!r} is no plugin id: kebab-case such as 'my-plugin', at most 64 characters."
    if value in RESERVED_IDS:
        return f"The id {value!r} is reserved for the host. Choose another."
    return None


def _permission_fault(value: Any) -> str | None:
    for permission in value:
        if not isinstance(permission, str) or not _PERMISSION.fullmatch(permission):
            return f"{permission!r} is no permission such as 'storage:read'."
    return None


def _filled(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() else "Must not be empty."


def _link_fault(value: Any) -> str | None:
    return None if value is None or str(value).startswith(("https://", "http://")) else "Must be an http(s) address."


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginDependency:
    """Another plugin that this one needs; ``version`` is an npm range. An absent optional one is in the context."""

    plugin_id: str = checked(id_fault)
    version: str = checked(range_fault)
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigProperty:
    """One setting of a plugin. (Specification, ``ConfigProperty``; the fields from ``items`` on are ours.)

    ``secret`` values can be written and never read back, in the API, the page and the log.
    """

    type: Literal["string", "number", "boolean", "array", "object"]
    title: str | None = None
    description: str | None = None
    default: Any = None
    enum: tuple[Any, ...] | None = None
    items: Mapping[str, Any] | None = None
    properties: Mapping[str, Any] | None = None
    minimum: float | None = None
    maximum: float | None = None
    secret: bool = False

    def faults(self) -> Iterator[Fault]:
        """Name a default that the property itself would refuse."""
        if self.enum is not None and self.default is not None and self.default not in self.enum:
            yield Fault(path="/default", message=f"{self.default!r} is none of the values of 'enum'.")
        if self.default is not None and not isinstance(self.default, _PYTHON_TYPES.get(self.type, object)):
            yield Fault(path="/default", message=f"{self.default!r} is no {self.type}.")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            yield Fault(path="/minimum", message=f"{self.minimum} is greater than the maximum {self.maximum}.")


_PYTHON_TYPES: dict[str, Any] = {
    "string": str,
    "number": int | float,
    "boolean": bool,
    "array": list | tuple,
    "object": Mapping,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSchema:
    """The settings of a plugin, shown as a form by the settings plugin."""

    type: Literal["object"] = "object"
    properties: Mapping[str, ConfigProperty] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    def faults(self) -> Iterator[Fault]:
        """Name required properties that do not exist."""
        for name in self.required:
            if name not in self.properties:
                yield Fault(path="/required", message=f"There is no property {name!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributions:
    """The part of ``manifest.json`` that lists a plugin without importing it; written by ``corehost plugin build``."""

    base_path: str | None = None
    navigation: tuple[NavigationItem, ...] = ()
    methods: Mapping[str, Any] = field(default_factory=dict)
    messages: Mapping[str, Any] = field(default_factory=dict)
    stores: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Who a plugin is and what it needs. (Specification, ``PluginManifest``.)

    Beyond the specification: ``corehost`` is the npm range of host versions that it runs on; ``activation``
    when its code is imported; ``isolation`` whether it runs in a process of its own; ``requires`` the Python
    packages that it needs (PEP 508); ``contributes`` what can be listed without importing it. ``icon`` is the
    name of a Bootstrap icon or the path of an SVG below the plugin's ``static/``. Plugins with a higher
    ``priority`` load first where dependencies leave the choice.
    """

    id: str = checked(id_fault)
    name: str = checked(_filled)
    version: str = checked(version_fault)
    description: str
    author: str | None = None
    homepage: str | None = checked(_link_fault, default=None)
    icon: str | None = None
    dependencies: tuple[PluginDependency, ...] = ()
    permissions: tuple[str, ...] = checked(_permission_fault, default=())
    config_schema: ConfigSchema | None = None
    priority: int = 0
    enabled: bool = True
    corehost: str | None = checked(lambda value: None if value is None else range_fault(value), default=None)
    activation: Literal["startup", "on-demand"] = "startup"
    isolation: Literal["none", "process"] = "none"
    requires: tuple[str, ...] = ()
    contributes: Contributions | None = None

    def faults(self) -> Iterator[Fault]:
        """Name a plugin that depends on itself or twice on another."""
        wanted = [dependency.plugin_id for dependency in self.dependencies]
        for index, name in enumerate(wanted):
            if name == self.id:
                yield Fault(path=f"/dependencies/{index}", message="A plugin cannot depend on itself.")
            elif name in wanted[:index]:
                yield Fault(path=f"/dependencies/{index}", message=f"{name!r} is named twice.")
