"""Turn a declared value (a frozen dataclass) into its JSON form and back, naming every fault at once."""

from __future__ import annotations

import dataclasses
import functools
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args, get_origin

import marshmallow
from marshmallow import ValidationError, fields

from corehost.contract.errors import Fault, ManifestError
from corehost.contract.hints import SchemaValue, camel, hints_of, is_below, is_code, options_of
from corehost.contract.reading import RefusedError, reader_of
from corehost.contract.schema import json_schema_of

T = TypeVar("T")
Check = Callable[[Any], str | None]
"""Looks at one field's value and returns what is wrong with it, or ``None``."""


def checked(*checks: Check, **options: Any) -> Any:
    """Return a dataclass field whose value must pass *checks*; *options* are those of ``dataclasses.field``."""
    return dataclasses.field(metadata={"checks": checks}, **options)


def to_json(value: Any) -> Any:
    """Return *value* in JSON's types, its fields in camelCase; callables and absent values are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = ((f, getattr(value, f.name)) for f in dataclasses.fields(value) if not is_code(type(value), f.name))
        return {camel(f.name): _field_json(type(value), f.name, item) for f, item in named if item is not None}
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    return value


def from_json(kind: type[T], data: Any) -> T:
    """Build a *kind* from its JSON form.

    Raises ``ManifestError`` with a fault for every unknown field, missing field and wrong value.
    """
    try:
        built: T = reader_of(kind)(data)  # type: ignore[arg-type]  # a class is hashable
    except RefusedError:
        raise ManifestError(f"This is no valid {kind.__name__}.", _json_faults(kind, data)) from None
    return built


def faults_of(value: Any) -> list[Fault]:
    """Return every fault of a declared value, wherever it lies; an empty list means that it keeps the contract."""
    return [*_json_faults(type(value), to_json(value)), *_code_faults(value, ""), *_own_faults(value, "")]


def joint_faults(value: Any) -> list[Fault]:
    """Return the faults that lie in several fields together, of a value that ``from_json`` has built."""
    return list(_own_faults(value, ""))


@functools.cache
def schema_of(kind: type) -> type[marshmallow.Schema]:
    """Return the marshmallow schema of a declared type; unknown fields are errors."""
    members = {
        camel(f.name): _named(f, _marshmallow_field(hints_of(kind)[f.name]))
        for f in dataclasses.fields(kind)
        if not is_code(kind, f.name)
    }
    return marshmallow.Schema.from_dict(members, name=kind.__name__)


class _StrictBoolean(fields.Field[bool]):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Not a valid boolean.")
        return value


class _StrictNumber(fields.Field[float]):
    """A JSON number: marshmallow's own takes ``"3"`` and ``True`` too."""

    whole = False

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            raise ValidationError("Not a valid integer." if self.whole else "Not a valid number.")
        return value


class _StrictInteger(_StrictNumber):
    whole = True


class _TextOrNumber(fields.Field[Any]):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValidationError("Must be a string or a number.")
        return value


class _SchemaField(fields.Field[Any]):
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, Mapping):
            raise ValidationError("Must be a JSON Schema object or a marshmallow Schema.")
        return value


_SCALARS: dict[Any, Callable[[], fields.Field[Any]]] = {
    str: fields.String,
    bool: _StrictBoolean,
    int: _StrictInteger,
    float: _StrictNumber,
    SchemaValue: _SchemaField,
}


def _marshmallow_field(hint: Any) -> fields.Field[Any]:
    if hint in _SCALARS:
        return _SCALARS[hint]()
    if dataclasses.is_dataclass(hint):
        return fields.Nested(lambda: schema_of(hint)())  # type: ignore[arg-type]  # late, for types that hold themselves
    origin, arguments = get_origin(hint), get_args(hint)
    if options := options_of(hint):
        return _optional_field(options)
    if origin is tuple:
        return fields.List(_marshmallow_field(arguments[0]))
    if origin is not None and is_below(origin, Mapping):
        return fields.Dict(keys=fields.String(), values=_marshmallow_field(arguments[1]))
    if origin is Literal:
        return fields.String(validate=marshmallow.validate.OneOf(arguments))
    return fields.Raw(allow_none=True)


def _optional_field(options: Sequence[Any]) -> fields.Field[Any]:
    if SchemaValue in options:
        field: fields.Field[Any] = _SchemaField()
    elif str in options and (int in options or float in options):
        field = _TextOrNumber()
    else:
        field = _marshmallow_field(options[0]) if len(options) == 1 else fields.Raw()
    field.allow_none = True
    return field


def _named(field: dataclasses.Field[Any], converted: fields.Field[Any]) -> fields.Field[Any]:
    converted.required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    converted.validators = [*converted.validators, *(_validator(c) for c in field.metadata.get("checks", ()))]
    return converted


def _validator(check: Check) -> Callable[[Any], None]:
    def validate(value: Any) -> None:
        if message := check(value):
            raise ValidationError(message)

    return validate


_PLAIN = (str, int, float, types.NoneType)


def _field_json(kind: type, name: str, value: Any) -> Any:
    hint = hints_of(kind)[name]
    if hint is SchemaValue or SchemaValue in get_args(hint):
        return json_schema_of(value)
    if isinstance(value, Mapping) and SchemaValue in get_args(hint):
        return {key: json_schema_of(item) for key, item in value.items()}
    return to_json(value)


def _json_faults(kind: type, data: Any) -> list[Fault]:
    if not isinstance(data, Mapping):
        return [Fault(path="", message=f"Must be an object, not {type(data).__name__}.")]
    return list(_flatten(_checker_of(kind).validate(dict(data)), ""))


@functools.cache
def _checker_of(kind: type) -> marshmallow.Schema:
    """Return what checks a declared type; kept, as making it copies all of its fields."""
    return schema_of(kind)()


def _flatten(messages: Any, path: str) -> Iterator[Fault]:
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            # marshmallow reports a fault of a mapping's value below "value"; JSON has no such step.
            yield from _flatten(inner, path if key in ("value", "_schema") else f"{path}/{key}")
    else:
        yield from (Fault(path=path, message=str(message)) for message in messages)


@functools.cache
def _holders(kind: type) -> tuple[tuple[str, str], ...]:
    """Return which fields may hold something declared, each with its step of a path."""
    names = (field.name for field in dataclasses.fields(kind))
    return tuple((name, f"/{camel(name)}") for name in names if _may_hold(hints_of(kind)[name]))


def _may_hold(hint: Any) -> bool:
    return dataclasses.is_dataclass(hint) or any(map(_may_hold, get_args(hint)))


def _members(value: Any, path: str) -> Iterator[tuple[Any, str]]:
    """Yield what *value* holds and may hold something itself, with the path to it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for name, step in _holders(type(value)):
            if not isinstance(item := getattr(value, name), _PLAIN):
                yield item, path + step
    elif isinstance(value, Mapping):
        yield from ((item, f"{path}/{key}") for key, item in value.items() if not isinstance(item, _PLAIN))
    elif isinstance(value, list | tuple):
        yield from ((item, f"{path}/{at}") for at, item in enumerate(value) if not isinstance(item, _PLAIN))


def _code_faults(value: Any, path: str) -> Iterator[Fault]:
    """Find the fields that must hold a function and do not, and values of the wrong declared type."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            item = getattr(value, field.name)
            is_function = is_code(type(value), field.name) and not field.metadata.get("live")
            if is_function and not callable(item) and (item is not None or field.default is dataclasses.MISSING):
                yield Fault(path=f"{path}/{camel(field.name)}", message=f"Must be a function, not {item!r}.")
    for inner, where in _members(value, path):
        yield from _code_faults(inner, where)


def _own_faults(value: Any, path: str) -> Iterator[Fault]:
    """Ask each declared value for the faults that no single field can show."""
    own: Callable[[], Iterable[Fault]] | None = getattr(type(value), "faults", None) and value.faults
    if own is not None and dataclasses.is_dataclass(value):
        try:
            found = list(own())
        except (AttributeError, TypeError):  # a field of the wrong type; the check of the form has named it
            found = []
        yield from (Fault(path=path + fault.path, message=fault.message) for fault in found)
    for inner, where in _members(value, path):
        yield from _own_faults(inner, where)
