"""What the fields of a declared type (a frozen dataclass) hold, by their type hints."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any, Union, get_args, get_origin, get_type_hints

_CALLABLE = get_origin(Callable[[], None])


class SchemaValue:
    """Marks a field that holds a JSON Schema (a mapping) or a marshmallow ``Schema``."""


@functools.cache
def camel(name: str) -> str:
    """Return a snake_case name in camelCase."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@functools.cache
def hints_of(kind: type) -> dict[str, Any]:
    """Return the hints of a declared type's fields, resolved."""
    return get_type_hints(kind)


@functools.cache
def is_code(kind: type, name: str) -> bool:
    """Tell whether a field holds code or a live object, which has no JSON form."""
    field = kind.__dataclass_fields__[name]  # type: ignore[attr-defined]  # asked for dataclasses only
    if field.metadata.get("live"):
        return True
    hint = hints_of(kind)[name]
    options = options_of(hint) or (hint,)
    return any(get_origin(option) is _CALLABLE or option is _CALLABLE for option in options)


def options_of(hint: Any) -> tuple[Any, ...]:
    """Return what a union admits beside ``None``; nothing for any other hint."""
    if get_origin(hint) not in (Union, types.UnionType):
        return ()
    return tuple(option for option in get_args(hint) if option is not types.NoneType)


def is_below(kind: Any, parent: type) -> bool:
    """Tell whether *kind* is a class below *parent*; anything that is no class is not."""
    return isinstance(kind, type) and issubclass(kind, parent)
