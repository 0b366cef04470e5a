"""What is recognised at once must be valid by the full check too."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corehost.contract.acceptance import MAX_DEPTH, accepts_of
from corehost.contract.schema import compile_schema, json_faults

NAMES = st.sampled_from(["a", "b", "c'\"\\", "\n"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, -0.0, 1.0, float("inf"), float("nan")]),
    st.text("aé", max_size=3),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=8,
)
BOUNDS = st.dictionaries(
    st.sampled_from(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]), st.integers(-2, 2), max_size=2
)
LENGTHS = st.dictionaries(st.sampled_from(["minLength", "maxLength"]), st.integers(0, 3), max_size=2)
SIZES = st.dictionaries(st.sampled_from(["minItems", "maxItems"]), st.integers(0, 3), max_size=2)
CHOICES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"enum": st.lists(SCALARS.filter(lambda v: v == v), min_size=1, max_size=3)}),  # noqa: PLR0124  # no NaN
    st.fixed_dictionaries({"const": st.one_of(st.integers(-1, 1), st.booleans(), st.text("a", max_size=2))}),
)


def schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.fixed_dictionaries(
        {"type": st.just("object")},
        optional={
            "properties": st.dictionaries(NAMES, inner, max_size=3),
            "required": st.lists(NAMES, unique=True, max_size=3),
            "additionalProperties": st.one_of(st.booleans(), inner),
            "description": st.just("words"),
        },
    )
    arrays = st.builds(lambda items, size: {"type": "array", "items": items, **size}, inner, SIZES)
    return st.one_of(objects, arrays)


SCHEMAS = st.recursive(
    st.one_of(
        st.sampled_from([True, {}, {"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}]),
        st.builds(lambda more, choice: {"type": "string", **more, **choice}, LENGTHS, CHOICES),
        st.builds(lambda more, choice: {"type": "integer", **more, **choice}, BOUNDS, CHOICES),
        st.builds(lambda more: {"type": "number", **more}, BOUNDS),
        st.builds(
            lambda kinds: {"type": kinds}, st.lists(st.sampled_from(["integer", "null"]), min_size=1, unique=True)
        ),
    ),
    schemas,
    max_leaves=6,
).filter(lambda schema: isinstance(schema, dict))


@given(SCHEMAS, VALUES)
def test_what_is_recognised_is_json_and_valid(schema: dict[str, Any], value: Any) -> None:
    accepts = accepts_of(schema)
    if accepts is not None and accepts(value):
        assert json_faults(value) == []
        assert jsonschema_rs.Draft202012Validator(schema).is_valid(value)


@given(SCHEMAS, VALUES)
def test_a_checker_finds_what_the_validator_finds(schema: dict[str, Any], value: Any) -> None:
    is_valid = not json_faults(value) and jsonschema_rs.Draft202012Validator(schema).is_valid(value)
    assert (compile_schema(schema)(value) == []) is is_valid


READING = {
    "type": "object",
    "required": ["celsius"],
    "properties": {"celsius": {"type": "number"}, "station": {"type": "string", "maxLength": 5}},
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "is_recognised"),
    [
        ({"celsius": 21.5}, True),
        ({"celsius": 21, "station": "north"}, True),
        ({"celsius": 21.5, "station": "northern"}, False),
        ({"celsius": float("nan")}, False),
        ({"celsius": True}, False),
        ({"station": "north"}, False),
        ({"celsius": 1.0, "more": 1}, False),
        ([], False),
    ],
)
def test_a_usual_schema_is_recognised_without_the_validator(value: Any, is_recognised: bool) -> None:
    accepts = accepts_of(READING)
    assert accepts is not None
    assert accepts(value) is is_recognised


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "format": "date"},
        {"$ref": "#/$defs/a", "$defs": {"a": {}}},
        {"type": "object", "minProperties": 1},
        {"type": "object", "properties": {"a": {"pattern": "x"}}},
        {"anyOf": [{}]},
        {"type": "object", "required": ["a"], "additionalProperties": False},
    ],
)
def test_a_schema_that_says_more_is_left_to_the_validator(schema: dict[str, Any]) -> None:
    assert accepts_of(schema) is None


def test_what_is_nested_too_deep_is_not_recognised() -> None:
    value: Any = {}
    for _ in range(MAX_DEPTH):
        value = {"a": value}
    for schema in ({"type": "object"}, {"type": "object", "properties": {"a": {}}}):
        accepts = accepts_of(schema)
        assert accepts is not None
        assert accepts(value)
        assert not accepts({"a": value})


def test_texts_of_a_schema_are_never_run_as_code() -> None:
    name = "'] or print('run') or value['"
    accepts = accepts_of(
        {"type": "object", "required": [name], "properties": {name: {"type": "string", "const": name}}}
    )
    assert accepts is not None
    assert accepts({name: name})
    assert not accepts({name: "'"})
