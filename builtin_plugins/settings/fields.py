"""Turn a plugin's settings into the fields of a form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from corehost import SECRET_MASK, ConfigProperty, ConfigSchema

Kind = Literal["text", "password", "number", "switch", "select", "checks", "lines", "json", "group"]
NONE = ""
"""The option of a choice that leaves the setting out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: ``path`` is where its value lies in the settings, ``name`` that path joined by dots.

    ``schema`` is the property as JSON Schema; ``fields`` are those of a group.
    """

    path: tuple[str, ...]
    kind: Kind
    schema: Mapping[str, Any]
    required: bool = False
    fields: tuple[Field, ...] = field(default=())

    @property
    def name(self) -> str:
        """The name of the control."""
        return ".".join(self.path)

    @property
    def label(self) -> str:
        """What people read."""
        return str(self.schema.get("title") or self.path[-1])

    @property
    def options(self) -> list[tuple[str, str]]:
        """The choices, as (value of the control, text); values are JSON, so that 1 and "1" stay apart."""
        source = self.schema.get("items", {}) if self.kind == "checks" else self.schema
        chosen = [
            (json.dumps(value), value if isinstance(value, str) else json.dumps(value)) for value in source["enum"]
        ]
        is_open = self.kind == "select" and not self.required and self.schema.get("default") is None
        return [(NONE, "not set"), *chosen] if is_open else chosen

    @property
    def attributes(self) -> dict[str, Any]:
        """What the control gets beyond name and value; an empty control means the default, so that is shown in it."""
        found: dict[str, Any] = {}
        if self.kind == "number":
            found = {"step": "any", "min": self.schema.get("minimum"), "max": self.schema.get("maximum")}
        if self.kind in ("text", "number") and self.schema.get("default") is not None:
            found["placeholder"] = str(self.schema["default"])
        if self.kind == "password":
            found["autocomplete"] = "new-password"
        if self.kind == "json":
            found["class"] = "form-control font-monospace"
            found["spellcheck"] = "false"
        return found


def fields_of(schema: ConfigSchema | None) -> tuple[Field, ...]:
    """Return the fields of a plugin's settings, in the order in which it declares them."""
    if schema is None:
        return ()
    return tuple(_field((name,), as_schema(prop), name in schema.required) for name, prop in schema.properties.items())


def all_fields(fields: tuple[Field, ...]) -> list[Field]:
    """Return *fields* with those of groups in their places."""
    return [inner for one in fields for inner in (all_fields(one.fields) if one.kind == "group" else [one])]


def shown(one: Field, config: Mapping[str, Any]) -> Any:
    """Return what the control of *one* shows for *config*: text, a bool, or the list of chosen options."""
    value = _value_at(config, one.path)
    if one.kind == "password":
        return NONE  # write-only: what is set is told beside the control, never in it
    if one.kind == "switch":
        return bool(value)
    if one.kind == "checks":
        return [json.dumps(item) for item in value or ()]
    if value is None:
        return NONE
    if one.kind == "select":
        return json.dumps(value)
    if one.kind == "lines":
        return "\n".join(str(item) for item in value)
    if one.kind == "json":
        return json.dumps(value, indent=2, ensure_ascii=False)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def is_set(one: Field, config: Mapping[str, Any]) -> bool:
    """Tell whether the secret *one* has a value."""
    return bool(_value_at(config, one.path) == SECRET_MASK)


def as_schema(prop: ConfigProperty) -> dict[str, Any]:
    """Return *prop* as JSON Schema, as the properties inside of objects are."""
    names = ("type", "title", "description", "default", "enum", "items", "properties", "minimum", "maximum", "secret")
    return {name: value for name in names if (value := getattr(prop, name)) is not None}


def _field(path: tuple[str, ...], schema: Mapping[str, Any], required: bool) -> Field:
    kind = _kind(schema, len(path))
    inner: tuple[Field, ...] = ()
    if kind == "group":
        wanted = schema.get("required", ())
        inner = tuple(_field((*path, name), prop, name in wanted) for name, prop in schema["properties"].items())
    return Field(path=path, kind=kind, schema=schema, required=required, fields=inner)


def _kind(schema: Mapping[str, Any], depth: int) -> Kind:
    if schema.get("secret") and depth == 1:  # the host keeps whole settings secret, no parts of them
        return "password"
    if schema.get("enum"):
        return "select"
    kind = schema.get("type")
    if kind == "array":
        return _array_kind(schema.get("items") or {})
    if kind == "object":
        # One level of groups reads well; what lies deeper is written as JSON.
        return "group" if schema.get("properties") and depth == 1 else "json"
    simple: dict[Any, Kind] = {"boolean": "switch", "number": "number", "integer": "number", "string": "text"}
    return simple.get(kind, "json")


def _array_kind(items: Mapping[str, Any]) -> Kind:
    if items.get("enum"):
        return "checks"
    return "lines" if items.get("type", "string") in ("string", "number", "integer") else "json"


def _value_at(config: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = config
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
