"""Keep the settings of each plugin: checked, saved, applied live."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from corehost.contract.errors import (
    CorehostError,
    Fault,
    InvalidError,
    LateError,
    ManifestError,
    NotFoundError,
    PluginFaultError,
)
from corehost.contract.manifest import SECRET_MASK, ConfigProperty, ConfigSchema, Manifest
from corehost.contract.permissions import manage_of
from corehost.contract.schema import compile_schema
from corehost.contract.user import UserContext
from corehost.plugins.deadlines import run_with_deadline
from corehost.plugins.live_view import LiveView
from corehost.plugins.permissions import Permissions
from corehost.plugins.registry import Plugin, Registry
from corehost.state.audit import AuditLog
from corehost.state.database import Configs

Tell = Callable[[str, list[str]], Any]


class Config:
    """The settings of all plugins. *tell* is called with plugin id and names when settings have changed."""

    def __init__(
        self,
        registry: Registry,
        configs: Configs,
        permissions: Permissions,
        audit: AuditLog,
        *,
        tell: Tell,
        seconds: float = 10.0,
    ) -> None:
        self._registry = registry
        self._configs = configs
        self._permissions = permissions
        self._audit = audit
        self._tell = tell
        self._seconds = seconds
        self._live: dict[str, Mapping[str, Any]] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def get(self, plugin_id: str) -> dict[str, Any]:
        """Return the settings with defaults filled in; a secret reads ``SECRET_MASK``, or ``None`` if unset."""
        schema = _schema_of(self._registry.get(plugin_id).manifest)
        values = _filled(schema, self._configs.get(plugin_id))
        hidden = {name: None if values.get(name) is None else SECRET_MASK for name in _secret_names(schema)}
        return {**values, **hidden}

    def read(self, plugin_id: str, *, user: UserContext | None) -> dict[str, Any]:
        """Return the settings to *user*, who needs ``plugin:<id>:manage``; raises ``NotFoundError``."""
        if self._registry.get(plugin_id).manifest is None:
            raise NotFoundError(f"The manifest of plugin {plugin_id!r} is not known, so it has no settings yet.")
        self._permissions.require_user(user, manage_of(plugin_id), f"see the settings of the plugin {plugin_id!r}")
        return self.get(plugin_id)

    def set(self, plugin_id: str, values: Mapping[str, Any], *, user: UserContext | None) -> dict[str, Any]:
        """Replace the settings and return them as ``get`` does; what is left out takes its default.

        A secret that is left out or reads ``SECRET_MASK`` stays, ``None`` takes it away. Raises ``InvalidError`` with
        every fault, or with the plugin's words if its ``corehost_configure`` refuses.
        """
        plugin = self._registry.get(plugin_id)
        self._permissions.require_user(user, manage_of(plugin_id), f"configure the plugin {plugin_id!r}")
        schema = _schema_of(plugin.manifest)
        with self._locks[plugin_id]:
            old = self._configs.get(plugin_id)
            wanted = _with_kept_secrets(schema, values, old)
            new = _checked(plugin_id, schema, wanted)
            self._ask(plugin, new)
            secret = _secret_names(schema)
            plain = {name: value for name, value in wanted.items() if name not in secret}
            self._configs.set(plugin_id, plain, {name: wanted[name] for name in secret if name in wanted})
            if plugin_id in self._live:
                self._live[plugin_id] = new
        before = _filled(schema, old)
        keys = sorted(k for k in {*before, *new} if before.get(k) != new.get(k))
        actor = "core" if user is None else f"user:{user.id}"
        self._audit.record("plugin:configure", actor=actor, subject=plugin_id, detail={"keys": keys})
        self._tell(plugin_id, keys)
        return self.get(plugin_id)

    def open(self, plugin: Plugin) -> Callable[[], None]:
        """Make the settings of a plugin that loads live; raises ``ManifestError`` if a required one is missing."""
        schema = _schema_of(plugin.manifest)
        values = self._configs.get(plugin.id) if schema.properties else {}  # most have none: a start asks for each
        kept = {k: v for k, v in values.items() if not _property_faults(schema, k, v)}
        try:  # what an older version's schema allowed and this one does not is left aside, not fatal
            self._live[plugin.id] = _checked(plugin.id, schema, kept)
        except InvalidError as error:
            raise ManifestError(f"{error.text} Set them, then enable {plugin.id!r} again.") from error

        def close() -> None:
            self._live.pop(plugin.id, None)

        return close

    def view(self, plugin_id: str) -> Mapping[str, Any]:
        """Return a live read-only view of the settings, secrets in the clear, for the plugin itself."""
        return LiveView(lambda: self._live.get(plugin_id, {}))

    def secrets(self, plugin_id: str) -> list[str]:
        """Return the secret texts of a loaded plugin, so that its log can be masked."""
        plugin = self._registry.find(plugin_id)
        names = _secret_names(_schema_of(plugin.manifest)) if plugin else frozenset()
        values = self._live.get(plugin_id, {})
        return [str(values[name]) for name in names if values.get(name)]

    def _ask(self, plugin: Plugin, new: Mapping[str, Any]) -> None:
        hooks = plugin.hooks
        if hooks is None or not hooks.has("corehost_configure"):
            return
        what = f"'corehost_configure' of plugin {plugin.id!r}"
        try:
            run_with_deadline(
                lambda: plugin.settle(hooks.ask("corehost_configure", config=new)), seconds=self._seconds, what=what
            )
        except (LateError, PluginFaultError):
            raise
        except Exception as error:
            text = error.text if isinstance(error, CorehostError) else str(error)
            refusal = Fault(path="", message=text)
            raise InvalidError(f"Plugin {plugin.id!r} refuses these settings.", [refusal]) from error


def json_schema(schema: ConfigSchema) -> dict[str, Any]:
    """Return the specification's ``configSchema`` as JSON Schema 2020-12; unknown settings are refused."""
    properties = {name: _property_schema(prop) for name, prop in schema.properties.items()}
    required = list(schema.required)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _property_schema(prop: ConfigProperty) -> dict[str, Any]:
    names = ("type", "enum", "items", "properties", "minimum", "maximum")
    found = {name: getattr(prop, name) for name in names}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in found.items() if v is not None}


def _schema_of(manifest: Manifest | None) -> ConfigSchema:
    return (manifest.config_schema if manifest else None) or ConfigSchema()


def _secret_names(schema: ConfigSchema) -> frozenset[str]:
    return frozenset(name for name, prop in schema.properties.items() if prop.secret)


def _filled(schema: ConfigSchema, values: Mapping[str, Any]) -> dict[str, Any]:
    defaults = {name: prop.default for name, prop in schema.properties.items() if prop.default is not None}
    return {**defaults, **{name: value for name, value in values.items() if name in schema.properties}}


def _with_kept_secrets(schema: ConfigSchema, values: Any, kept: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise InvalidError("Settings must be an object.")
    wanted = dict(values)
    for name in _secret_names(schema):
        if wanted.get(name, SECRET_MASK) == SECRET_MASK:
            wanted.pop(name, None)
            wanted.update({name: kept[name]} if name in kept else {})
        elif wanted[name] is None:
            del wanted[name]
    return wanted


def _checked(plugin_id: str, schema: ConfigSchema, values: Mapping[str, Any]) -> Mapping[str, Any]:
    defaults = _filled(schema, {})
    whole = {**defaults, **values}
    faults = compile_schema(json_schema(schema))(whole)
    if faults:
        secret = {f"/{name}" for name in _secret_names(schema)}
        shown = [Fault(path=f.path, message="Is not valid.") if f.path in secret else f for f in faults]
        raise InvalidError(f"The settings of plugin {plugin_id!r} are not valid.", shown)
    return MappingProxyType(whole)


def _property_faults(schema: ConfigSchema, name: str, value: Any) -> bool:
    prop = schema.properties.get(name)
    return prop is None or bool(compile_schema(_property_schema(prop))(value))
