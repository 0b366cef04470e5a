"""Check values against JSON Schema 2020-12 or a marshmallow ``Schema``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jsonschema_rs
import marshmallow

from corehost.contract.errors import Fault, InvalidError, ManifestError

JsonSchema = Mapping[str, Any] | marshmallow.Schema | type[marshmallow.Schema]
"""What a contract accepts as a schema."""

MAX_DEPTH = 64
"""Deepest nesting of a JSON value that may cross from one plugin to another."""

_PLAIN = frozenset({str, int, bool, type(None)})

Checker = Callable[[Any], list[Fault]]
"""Returns every fault of a value, an empty list when there is none."""


def compile_schema(schema: Any) -> Checker:
    """Return a checker for *schema*; ``None`` gives one that only asks for JSON.

    The checker never changes or copies the value. Raises ``ManifestError`` if *schema* itself is not valid.
    Remote references are never fetched.
    """
    if schema is None:
        return json_faults
    if _is_marshmallow(schema):
        return _marshmallow_checker(schema() if isinstance(schema, type) else schema)
    return _json_schema_checker(schema)


def check(checker: Checker, value: Any, what: str) -> None:
    """Raise ``InvalidError`` with every fault if *value* breaks *checker*; *what* names the value."""
    if faults := checker(value):
        raise InvalidError(f"{what} is not valid.", faults)


def json_faults(value: Any) -> list[Fault]:
    """Return the faults of *value* as JSON: other types, keys that are no strings, NaN, too deep nesting."""
    # Asked for every message: what is plainly right must not pay for the search that names what is wrong, and most
    # payloads are flat objects, for which even one call more would be felt.
    if value.__class__ is dict:
        for key in value:
            item = value[key]
            if key.__class__ is not str or not (
                item.__class__ in _PLAIN or (item.__class__ is float and item - item == 0)  # neither NaN nor infinite
            ):
                break
        else:
            return []
    return [] if _is_plain(value, 0) else list(_json_faults(value, "", 0))


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

    return faults


def _marshmallow_checker(schema: marshmallow.Schema) -> Checker:
    def faults(value: Any) -> list[Fault]:
        if found := json_faults(value):
            return found
        if not isinstance(value, list if schema.many else Mapping):
            return [Fault(path="", message="Must be an array." if schema.many else "Must be an object.")]
        return list(_flatten(schema.validate(value), ""))

    return faults


def _flatten(messages: Any, path: str) -> Iterator[Fault]:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from _flatten(inner, path if key == "_schema" else f"{path}/{key}")
    else:
        yield from (Fault(path=path, message=str(message)) for message in messages)


def _pointer(steps: Any) -> str:
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def _is_plain(value: Any, depth: int) -> bool:
    """Tell whether *value* is surely JSON: built-in types only, nested no deeper than allowed."""
    kind = value.__class__
    if kind in _PLAIN:
        return True
    if depth > MAX_DEPTH:
        return False
    if kind is dict:
        for key in value:  # one look-up each is cheaper than a pair from items()
            item = value[key]
            if key.__class__ is not str or (item.__class__ not in _PLAIN and not _is_plain(item, depth + 1)):
                return False
        return True
    if kind is list:
        return all(item.__class__ in _PLAIN or _is_plain(item, depth + 1) for item in value)
    return kind is float and math.isfinite(value)


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
