"""Write, for a JSON Schema, the code that recognises most of its valid values at once."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

Accepts = Callable[[Any], bool]
"""True: the value is surely JSON and valid. False says nothing: it must be checked in full."""

MAX_DEPTH: Final = 64
"""Deepest nesting of a JSON value that may cross from one plugin to another."""

_PLAIN = frozenset({str, int, bool, type(None)})

_NOTES = frozenset({"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment"})
"""Keywords that no value can break. (JSON Schema Validation 2020-12, section 9.)"""

_KEYWORDS: Mapping[str, frozenset[str]] = {
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "array": frozenset({"items", "minItems", "maxItems"}),
    "string": frozenset({"minLength", "maxLength", "enum", "const"}),
    "integer": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum", "const"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}),
    "boolean": frozenset(),
    "null": frozenset(),
}
"""The keywords that are written out, by type; a schema with any other gets no code of its own."""

_BOUNDS = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}


class _UnwrittenError(Exception):
    """The schema says something for which no code is written here."""


def accepts_of(schema: Mapping[str, Any]) -> Accepts | None:
    """Return what recognises valid values of *schema*, which must be a valid one; ``None`` if it says too much.

    A validator walks its schema for each value; here the schema is walked once and becomes Python, as a dataclass
    becomes an ``__init__``. Values that are valid in an unusual way (``1.0`` for an integer, a subclass of ``dict``)
    are not recognised.
    """
    try:
        return _written(json.dumps(schema))
    except (TypeError, ValueError):  # it holds what is no JSON, such as a mapping that is no dict
        return None


@lru_cache(maxsize=1_024)
def _written(text: str) -> Accepts | None:
    """Return what recognises valid values of the schema *text*; the same for the same, which keeps it fast."""
    schema, writer = json.loads(text), _Writer()
    try:
        test = writer.test(schema, "value", 0)
    except _UnwrittenError:
        return None
    name = test.removesuffix("(value)")  # a function of its own already, if it is an object or array
    if name == test:
        name = writer.function((f"return {test}",))
    # What is run was written below; texts of the schema stand in it as literals only.
    exec(compile(writer.source(), "<schema>", "exec"), writer.names)  # noqa: S102  # nosec
    accepts: Accepts = writer.names[name]
    return accepts


def is_plain(value: Any, depth: int = 0) -> bool:
    """Tell whether *value* is surely JSON: built-in types only, nested no deeper than allowed."""
    kind = value.__class__
    if kind is dict and depth <= MAX_DEPTH:
        for key in value:  # one look-up each is cheaper than a pair from items()
            item = value[key]
            if key.__class__ is not str or not (
                item.__class__ in _PLAIN
                or (item.__class__ is float and item - item == 0)  # neither NaN nor infinite
                or is_plain(item, depth + 1)
            ):
                return False
        return True
    if kind in _PLAIN:
        return True
    if depth > MAX_DEPTH:
        return False
    if kind is list:
        return all(item.__class__ in _PLAIN or is_plain(item, depth + 1) for item in value)
    return kind is float and math.isfinite(value)


class _Writer:
    """Writes the functions of one schema, a nested object or array each its own."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"is_plain": is_plain, "absent": object()}
        self._lines: list[str] = []

    def source(self) -> str:
        """Return what was written."""
        return "\n".join(self._lines)

    def function(self, body: Sequence[str]) -> str:
        """Add a function of a *value* and return its name."""
        name = f"test{len(self._lines)}"
        self._lines += [f"def {name}(value):", *(f"    {line}" for line in body)]
        return name

    def test(self, schema: Any, value: str, depth: int) -> str:
        """Return the expression that is true if the variable *value* is valid."""
        if schema is True or schema == {}:
            return f"is_plain({value}, {depth})"
        if not isinstance(schema, Mapping):
            raise _UnwrittenError
        kinds = schema.get("type")
        if isinstance(kinds, list):
            rest = {key: said for key, said in schema.items() if key != "type"}
            if "enum" in rest or "const" in rest:
                raise _UnwrittenError
            return f"({' or '.join(self._test_of(kind, rest, value, depth, among=kinds) for kind in kinds)})"
        return self._test_of(kinds, schema, value, depth, among=[kinds])

    def _test_of(self, kind: Any, schema: Mapping[str, Any], value: str, depth: int, *, among: list[Any]) -> str:
        known = frozenset[str]().union(*(_KEYWORDS.get(one, ()) for one in among))
        if kind not in _KEYWORDS or schema.keys() - known - _NOTES - {"type"}:
            raise _UnwrittenError
        if kind == "null":
            return f"{value} is None"
        if kind == "boolean":
            return f"{value}.__class__ is bool"
        if kind == "string":
            return self._string(schema, value)
        if kind in ("integer", "number"):
            return self._number(kind, schema, value)
        function = self._object(schema, depth) if kind == "object" else self._array(schema, depth)
        return f"{function}({value})"

    def _string(self, schema: Mapping[str, Any], value: str) -> str:
        tests = [f"{value}.__class__ is str", *self._lengths(schema, value, "minLength", "maxLength")]
        return _all([*tests, *self._among(schema, value, str)])

    def _number(self, kind: str, schema: Mapping[str, Any], value: str) -> str:
        whole = f"{value}.__class__ is int"
        # A float minus itself is 0 unless it is infinite or no number.
        tests = [
            whole if kind == "integer" else f"({whole} or ({value}.__class__ is float and {value} - {value} == 0))"
        ]
        tests += [f"{value} {sign} {schema[bound]!r}" for bound, sign in _BOUNDS.items() if bound in schema]
        return _all([*tests, *self._among(schema, value, int)])

    def _object(self, schema: Mapping[str, Any], depth: int) -> str:
        properties, required = schema.get("properties", {}), list(schema.get("required", ()))
        others, is_closed = schema.get("additionalProperties", True), schema.get("additionalProperties") is False
        if any(key not in properties for key in required) and is_closed:
            raise _UnwrittenError  # nothing is valid
        known = {key: properties.get(key, others) for key in [*properties, *required]}
        body = ["if value.__class__ is not dict:", "    return False", f"known = {len(set(required))}", "try:"]
        body += [f"    {line}" for key in known if key in required for line in self._required(key, known[key], depth)]
        body += ["    pass", "except KeyError:", "    return False"]
        for key in (key for key in known if key not in required):
            body += self._optional(key, known[key], depth)
        if is_closed:
            body += ["return len(value) == known"]
        else:
            body += ["if len(value) == known:", "    return True", *self._others(known, others, depth)]
        return self.function(body)

    def _required(self, key: str, schema: Any, depth: int) -> list[str]:
        return [f"item = value[{key!r}]", f"if not {self.test(schema, 'item', depth + 1)}:", "    return False"]

    def _optional(self, key: str, schema: Any, depth: int) -> list[str]:
        test = self.test(schema, "item", depth + 1)
        lines = (f"    if not {test}:", "        return False", "    known += 1")
        return [f"item = value.get({key!r}, absent)", "if item is not absent:", *lines]

    def _others(self, known: Mapping[str, Any], schema: Any, depth: int) -> list[str]:
        names = self._constant(frozenset(known))
        return [
            "for key in value:",
            f"    if key not in {names}:",
            "        item = value[key]",
            f"        if key.__class__ is not str or not {self.test(schema, 'item', depth + 1)}:",
            "            return False",
            "return True",
        ]

    def _array(self, schema: Mapping[str, Any], depth: int) -> str:
        body = ["if value.__class__ is not list:", "    return False"]
        for test in self._lengths(schema, "value", "minItems", "maxItems"):
            body += [f"if not {test}:", "    return False"]
        each = self.test(schema.get("items", True), "item", depth + 1)
        return self.function(
            [*body, "for item in value:", f"    if not {each}:", "        return False", "return True"]
        )

    def _lengths(self, schema: Mapping[str, Any], value: str, least: str, most: str) -> list[str]:
        found = [(schema[key], sign) for key, sign in ((least, ">="), (most, "<=")) if key in schema]
        return [f"len({value}) {sign} {length!r}" for length, sign in found]

    def _among(self, schema: Mapping[str, Any], value: str, kind: type) -> list[str]:
        """Test for ``enum`` and ``const``; their values of other types cannot be met by one of *kind*."""
        lists = [schema["enum"]] if "enum" in schema else []
        lists += [[schema["const"]]] if "const" in schema else []
        met = (frozenset(one for one in values if one.__class__ is kind) for values in lists)
        return [f"{value} in {self._constant(values)}" for values in met]

    def _constant(self, value: Any) -> str:
        name = f"constant{len(self.names)}"
        self.names[name] = value
        return name


def _all(tests: Sequence[str]) -> str:
    return f"({' and '.join(tests)})"
