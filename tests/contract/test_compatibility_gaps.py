"""Two schemas are compared: what is called compatible is so, and common changes are told in words."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corehost.contract.compatibility_gaps import gaps

NAMES = ("a", "b", "c")
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
scalars = st.sampled_from([None, True, False, 0, 1, 2, 1.0, 2.5, -1, "", "a", "ab", "abc"])
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from((*NAMES, "xd")), inner)),
    max_leaves=8,
)
small = st.integers(0, 3)


def schemas(*, depth: int) -> st.SearchStrategy[Any]:
    """Return schemas of many kinds; what they hold is small, so that a value often lies on a border."""
    if depth == 0:
        return st.one_of(st.booleans(), plain(), st.sampled_from([{"$ref": "#/$defs/d"}, {"$ref": "#"}]))
    inner = schemas(depth=depth - 1)
    named = st.dictionaries(st.sampled_from(NAMES), inner, max_size=2)
    nested = st.fixed_dictionaries(
        {},
        optional={
            "properties": named,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "d$"]), inner, max_size=1),
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=3),
            "oneOf": st.lists(inner, min_size=1, max_size=3),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "if": inner,
            "then": inner,
            "contains": inner,
            "propertyNames": inner,
            "unevaluatedProperties": inner,
            "unevaluatedItems": inner,
            "$ref": st.just("#/$defs/d"),
        },
    )
    parts = st.tuples(plain(), nested).map(lambda pair: {**pair[0], **pair[1]})
    return st.one_of(st.booleans(), plain(), parts.map(few_keys), parts)


def plain() -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.one_of(st.sampled_from(TYPES), st.lists(st.sampled_from(TYPES), min_size=1, unique=True)),
            "enum": st.lists(values, min_size=1, max_size=3),
            "const": values,
            "required": st.lists(st.sampled_from(NAMES), unique=True, max_size=2),
            "minimum": st.one_of(small, st.just(1.5)),
            "maximum": small,
            "exclusiveMinimum": small,
            "exclusiveMaximum": small,
            "multipleOf": st.sampled_from([1, 2, 0.5]),
            "minLength": small,
            "maxLength": small,
            "pattern": st.sampled_from(["^a", "b"]),
            "format": st.sampled_from(["date", "email"]),
            "minItems": small,
            "maxItems": small,
            "uniqueItems": st.booleans(),
            "minProperties": small,
            "maxProperties": small,
            "dependentRequired": st.just({"a": ["b"]}),
            "title": st.just("a note"),
        },
    ).map(few_keys)


def few_keys(schema: dict[str, Any]) -> dict[str, Any]:
    return dict(list(schema.items())[:4])


def documents() -> st.SearchStrategy[Any]:
    def joined(pair: tuple[Any, Any]) -> Any:
        root, inner = pair
        return {**root, "$defs": {"d": inner}} if isinstance(root, dict) else {"$defs": {"d": inner}, "allOf": [root]}

    return st.tuples(schemas(depth=2), schemas(depth=1)).map(joined)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """Return two documents, the second often a small change of the first."""
    first = draw(documents())
    if draw(st.booleans()):
        return first, draw(documents())
    second = copy.deepcopy(first)
    for _ in range(draw(st.integers(1, 3))):
        node = draw(st.sampled_from(list(nodes(second))))
        if node and draw(st.booleans()):
            del node[draw(st.sampled_from([key for key in node if key != "$defs"] or list(node)))]
        else:
            node.update({k: v for k, v in draw(plain()).items() if k != "$defs"})
    second.setdefault("$defs", first["$defs"])
    return (first, second) if draw(st.booleans()) else (second, first)


def nodes(schema: Any) -> list[dict[str, Any]]:
    found = [schema] if isinstance(schema, dict) else []
    for key, value in schema.items() if isinstance(schema, dict) else ():
        inner = value.values() if key in ("properties", "patternProperties", "$defs") else [value]
        if key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            inner = value
        if key not in ("enum", "const", "dependentRequired"):
            for item in inner:
                found += nodes(item)
    return found


def validator(schema: Any) -> jsonschema_rs.Draft202012Validator | None:
    try:
        return jsonschema_rs.Draft202012Validator(schema, offline=True)
    except (ValueError, jsonschema_rs.ReferencingError):
        return None


@settings(max_examples=settings().max_examples // 4, suppress_health_check=list(HealthCheck))  # each tries many
@given(pairs(), st.lists(values, min_size=10, max_size=30))
def test_what_has_no_gaps_admits_no_value_that_the_wider_schema_refuses(pair: Any, tried: list[Any]) -> None:
    narrow, wide = pair
    first, second = validator(narrow), validator(wide)
    if first is None or second is None or gaps(narrow, wide):
        return
    for value in tried:
        assert not first.is_valid(value) or second.is_valid(value), value


ZONE = {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]}


def tree(kind: str) -> dict[str, Any]:
    node = {"properties": {"kids": {"items": {"$ref": "#/$defs/n"}}, "v": {"type": kind}}}
    return {"$defs": {"n": node}, "$ref": "#/$defs/n"}


def tangled(kind: str) -> dict[str, Any]:
    """Return a schema that says two things of what lies in it, both of them the same again."""
    inner = {"properties": {"v": True}, "additionalProperties": {"$ref": "#", "title": "b"}}
    outer = {"properties": {"v": {"type": kind}}, "additionalProperties": {"$ref": "#", "title": "a"}}
    return {"type": "object", **outer, "allOf": [inner]}


def doubled(kind: str) -> dict[str, Any]:
    """Return definitions each of which uses the next one twice."""
    uses = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(40)}
    return {"$defs": {**uses, "d40": {"type": kind}}, "$ref": "#/$defs/d0"}


def tagged(*names: str) -> dict[str, Any]:
    return {"oneOf": [{"type": "object", "properties": {"k": {"const": n}}, "required": ["k"]} for n in names]}


@pytest.mark.parametrize("made", [tangled, doubled])
def test_what_doubles_at_each_step_is_compared_in_few(made: Callable[[str], Any]) -> None:
    assert [gap for gap in gaps(made("string"), made("number")) if gap.rule == "narrowed"]
    assert gaps({**made("integer"), "title": "another"}, made("integer")) == ()


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        (ZONE, None),
        (ZONE, {"type": "object"}),
        (ZONE, {**ZONE, "required": []}),
        ({"enum": ["a", "b"]}, {"enum": ["a", "b", "c"]}),
        ({"enum": ["a", "b"]}, {"type": "string", "maxLength": 1}),
        ({"type": ["string", "null"]}, {"anyOf": [{"type": "null"}, {"type": "string"}]}),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, {"type": ["string", "null"]}),
        (
            {"type": "integer", "minimum": 3, "multipleOf": 4},
            {"type": "number", "exclusiveMinimum": 2, "multipleOf": 2},
        ),
        ({"allOf": [{"minLength": 3}, {"pattern": "^a"}]}, {"pattern": "^a", "minLength": 2}),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": False}, {"maxProperties": 1}),
        ({"prefixItems": [{"type": "null"}], "items": False}, {"maxItems": 1, "items": {"type": "null"}}),
        (tree("integer"), tree("number")),
        (tagged("a", "b"), tagged("a", "b", "c")),
        ({**ZONE, "title": "a note"}, {**ZONE, "description": "another"}),
        (
            {"if": {"const": 1}, "then": {"type": "integer"}},
            {"if": {"const": 1}, "then": {"type": "integer"}, "title": "x"},
        ),
    ],
)
def test_a_schema_that_admits_more_has_no_gaps(narrow: Any, wide: Any) -> None:
    assert gaps(narrow, wide) == ()


@pytest.mark.parametrize(
    ("narrow", "wide", "path", "rule", "taken", "given"),
    [
        (None, ZONE, "", "narrowed", "must be an object now", "need not be an object any more"),
        ({"type": "object"}, ZONE, "/zone", "required", "is required now", "may be missing now"),
        ({"enum": [1, 2]}, {"enum": [1]}, "", "narrowed", "no longer accepts 2", "may be 2 now"),
        ({"type": ["null", "string"]}, {"type": "string"}, "", "narrowed", "no longer accepts null", "may be null now"),
        ({"type": "number"}, {"type": "integer"}, "", "narrowed", "no longer accepts a number that is not whole",
         "may be a number that is not whole now"),
        ({"type": "string"}, {"enum": ["a"]}, "", "narrowed", 'accepts only "a" now', 'is no longer only "a"'),
        ({"minimum": 1}, {"type": ["number", "string"], "minimum": 2}, "", "narrowed", "must be at least 2 now",
         "need not be at least 2 any more"),
        ({"type": "array"}, {"maxItems": 1}, "", "narrowed", "must have at most 1 item now",
         "may have more than 1 item now"),
        (tree("number"), tree("integer"), "/kids/*/v", "narrowed", "no longer accepts a number that is not whole",
         "may be a number that is not whole now"),
        ({"properties": {"a": {}}}, {"additionalProperties": False}, "/a", "narrowed", "is no longer accepted",
         "may be there now"),
        ({"type": "object"}, {"additionalProperties": False}, "", "narrowed", "no longer accepts further properties",
         "may have further properties now"),
    ],
)  # fmt: skip
def test_a_gap_says_where_and_what(narrow: Any, wide: Any, path: str, rule: str, taken: str, given: str) -> None:
    found = {(gap.path, gap.rule, gap.taken, gap.given) for gap in gaps(narrow, wide)}

    assert (path, rule, taken, given) in found


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ({"not": {"type": "null"}}, {"not": {"type": "string"}}),
        ({"pattern": "^a", "type": "string"}, {"pattern": "^ab"}),
        ({"$ref": "https://example.org/a"}, {"$ref": "https://example.org/a", "title": "b"}),
        ({"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False},
         {"allOf": [{"properties": {"b": {}}}], "unevaluatedProperties": False}),
        ({"$defs": {"n": {"anyOf": [{"$ref": "#/$defs/n"}]}}, "$ref": "#/$defs/n"},
         {"$defs": {"n": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}}, "$ref": "#/$defs/n", "type": "object"}),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_a_gap_unless_it_is_equal(narrow: Any, wide: Any) -> None:
    assert any("cannot be compared" in gap.taken or gap.rule == "narrowed" for gap in gaps(narrow, wide))
    assert gaps(narrow, narrow) == gaps(wide, wide) == ()


def test_a_property_that_an_open_schema_did_not_name_is_told_apart() -> None:
    wide = {"type": "object", "properties": {"zone": {"type": "string"}}}

    assert [gap.is_open for gap in gaps({"type": "object"}, wide)] == [True]
    assert [gap.is_open for gap in gaps({"type": "object", "additionalProperties": True}, wide)] == [False]
