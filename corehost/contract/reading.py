"""Build a declared value from its JSON form, as quickly as a start that reads hundreds of manifests wants it.

Each declared type is looked at once and becomes a chain of small functions. They take exactly what the marshmallow
schema of the type takes; that costs several times as much, and is asked for the faults when these refuse something.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin

from corehost.contract.hints import SchemaValue, camel, hints_of, is_below, is_code, options_of

Reader = Callable[[Any], Any]
"""Returns what it builds of a JSON value; raises ``RefusedError``."""


class RefusedError(Exception):
    """The JSON value breaks the contract; what is wrong with it is not looked for here."""


@functools.cache
def reader_of(kind: type) -> Reader:
    """Return what builds a declared type."""
    fields = [field for field in dataclasses.fields(kind) if not is_code(kind, field.name)]
    known = {
        camel(field.name): (field.name, _reader(hints_of(kind)[field.name]), field.metadata.get("checks", ()))
        for field in fields
    }
    defaults = {field.name: (field.default, field.default_factory) for field in fields}
    required = {name for name, given in defaults.items() if given == (dataclasses.MISSING, dataclasses.MISSING)}

    def read(data: Any) -> Any:
        values = {}
        for key, item in _mapping(data).items():
            if key not in known:
                raise RefusedError
            name, inner, checks = known[key]
            values[name] = inner(item)
            if item is not None and any(check(item) for check in checks):
                raise RefusedError
        if not required <= values.keys():
            raise RefusedError
        return kind(**values)

    return read


def _reader(hint: Any) -> Reader:
    if hint in _SCALARS:
        return _SCALARS[hint]
    if dataclasses.is_dataclass(hint):
        return lambda data: reader_of(hint)(data)  # type: ignore[arg-type]  # late, for types that hold themselves
    if options := options_of(hint):
        return _optional(options)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple:
        return _list_of(_reader(arguments[0]))
    if is_below(origin, Mapping):
        return _mapping_of(_reader(arguments[1]))
    if origin is Literal:
        return _one_of(frozenset(arguments))
    return _as_it_is


def _optional(options: tuple[Any, ...]) -> Reader:
    if SchemaValue in options:
        inner: Reader = _mapping
    elif str in options and (int in options or float in options):
        inner = _text_or_number
    else:
        inner = _reader(options[0]) if len(options) == 1 else _as_it_is
    return lambda data: None if data is None else inner(data)


def _list_of(inner: Reader) -> Reader:
    def read(data: Any) -> Any:
        if not isinstance(data, list | tuple):
            raise RefusedError
        return tuple(map(inner, data))

    return read


def _mapping_of(inner: Reader) -> Reader:
    def read(data: Any) -> Any:
        return {_text(key): inner(item) for key, item in _mapping(data).items()}

    return read


def _one_of(values: frozenset[Any]) -> Reader:
    def read(data: Any) -> Any:
        if _text(data) not in values:
            raise RefusedError
        return data

    return read


def _as_it_is(data: Any) -> Any:
    return data


def _kind(*kinds: type) -> Reader:
    """Return what takes values of *kinds*; ``True`` is a number to Python, and none to JSON."""
    takes_truth = bool in kinds

    def read(data: Any) -> Any:
        if not isinstance(data, kinds) or (isinstance(data, bool) and not takes_truth):
            raise RefusedError
        return data

    return read


_mapping = _kind(Mapping)
_text = _kind(str)
_text_or_number = _kind(str, int, float)
_SCALARS: Mapping[Any, Reader] = {
    str: _text,
    bool: _kind(bool),
    int: _kind(int),
    float: _kind(int, float),
    SchemaValue: _mapping,
}
