"""Check values against JSON Schema 2020-12 or a marshmallow ``Schema``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import marshmallow

from corehost.contract.acceptance import MAX_DEPTH, Accepts, accepts_of, is_plain
from corehost.contract.errors import Fault, InvalidError, ManifestError

JsonSchema = Mapping[str, Any] | marshmallow.Schema | type[marshmallow.Schema]
"""What a contract accepts as a schema."""

Faults = Callable[[Any], list[Fault]]
"""Returns every fault of a value, an empty list when there is none."""


@dataclass(frozen=True, slots=True)
class Checker:
    """Checks values against one schema: ``accepts`` recognises most that are valid, ``find`` has the last word."""

    find: Faults
    accepts: Accepts

    def __call__(self, value: Any) -> list[Fault]:
        """Return every fault of *value*."""
        return [] if self.accepts(value) else self.find(value)


def compile_schema(schema: Any) -> Checker:
    """Return a checker for *schema*; ``None`` gives one that only asks for JSON.

    The checker never changes or copies the value. Raises ``ManifestError`` if *schema* itself is not valid.
    Remote references are never fetched.
    """
    if schema is None:
        return ANY_JSON
    if _is_marshmallow(schema):
        return _marshmallow_checker(schema() if isinstance(schema, type) else schema)
    return _json_schema_checker(schema)


def check(checker: Faults, value: Any, what: str) -> None:
    """Raise ``InvalidError`` with every fault if *value* breaks *checker*; *what* names the value."""
    if faults := checker(value):
        raise InvalidError(f"{what} is not valid.", faults)


def json_faults(value: Any) -> list[Fault]:
    """Return the faults of *value* as JSON: other types, keys that are no strings, NaN, too deep nesting."""
    return [] if is_plain(value) else list(_json_faults(value, "", 0))


ANY_JSON = Checker(find=json_faults, accepts=is_plain)
"""Checks that a value is JSON at all."""


def json_schema_of(schema: Any) -> Any:
    """Return *schema* as JSON Schema for documents; a marshmallow schema is translated."""
    if not _is_marshmallow(schema):
        return schema
    return _translate(schema() if isinstance(schema, type) else schema)


def _is_marshmallow(schema: Any) -> bool:
    is_class = isinstance(schema, type) and issubclass(schema, marshmallow.Schema)
    return is_class or isinstance(schema, marshmallow.Schema)


def _json_schema_checker(schema: Any) -> Checker:
    if not isinstance(schema, Mapping):
        raise ManifestError(f"This is no JSON Schema but a {type(schema).__name__}. Give an object.")
    try:
        validator = jsonschema_rs.Draft202012Validator(dict(schema), offline=True)
    except (ValueError, TypeError, jsonschema_rs.ReferencingError) as error:
        raise ManifestError(f"This JSON Schema is not valid: {error}. Correct the schema.") from error
    is_valid, iter_errors = validator.is_valid, validator.iter_errors

    def faults(value: Any) -> list[Fault]:
        if found := json_faults(value):
            return found
        if is_valid(value):
            return []
        return [Fault(path=_pointer(error.instance_path), message=error.message) for error in iter_errors(value)]

    return Checker(find=faults, accepts=accepts_of(schema) or (lambda value: is_plain(value) and is_valid(value)))


def _marshmallow_checker(schema: marshmallow.Schema) -> Checker:
    def faults(value: Any) -> list[Fault]:
        if found := json_faults(value):
            return found
        if not isinstance(value, list if schema.many else Mapping):
            return [Fault(path="", message="Must be an array." if schema.many else "Must be an object.")]
        return list(_flatten(schema.validate(value), ""))

    return Checker(find=faults, accepts=lambda _: False)  # marshmallow has no shorter way than to validate


def _flatten(messages: Any, path: str) -> Iterator[Fault]:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from _flatten(inner, path if key == "_schema" else f"{path}/{key}")
    else:
        yield from (Fault(path=path, message=str(message)) for message in messages)


def _pointer(steps: Any) -> str:
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def _json_faults(value: Any, path: str, depth: int) -> Iterator[Fault]:
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, int | float):
        if isinstance(value, float) and not math.isfinite(value):
            yield Fault(path=path, message=f"{value} is no JSON number.")
        return
    if depth > MAX_DEPTH:
        yield Fault(path=path, message=f"Nested more than {MAX_DEPTH} deep.")
    elif isinstance(value, Mapping):
        yield from _mapping_faults(value, path, depth)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _json_faults(item, f"{path}/{index}", depth + 1)
    else:
        yield Fault(path=path, message=f"A {type(value).__name__} is no JSON value.")


def _mapping_faults(value: Mapping[Any, Any], path: str, depth: int) -> Iterator[Fault]:
    for key, item in value.items():
        if not isinstance(key, str):
            yield Fault(path=path, message=f"The key {key!r} is no string.")
        else:
            yield from _json_faults(item, f"{path}/{key}", depth + 1)


def _translate(schema: marshmallow.Schema) -> dict[str, Any]:
    from apispec import APISpec  # noqa: PLC0415  # only documents need it, and it is slow to import
    from apispec.ext.marshmallow import MarshmallowPlugin  # noqa: PLC0415

    plugin = MarshmallowPlugin()
    APISpec(title="", version="", openapi_version="3.1.0", plugins=[plugin])
    assert plugin.converter is not None
    translated: dict[str, Any] = plugin.converter.schema2jsonschema(schema)  # type: ignore[no-untyped-call]  # its own
    return {"type": "array", "items": translated} if schema.many else translated
