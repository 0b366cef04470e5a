"""Values checked against JSON Schema and marshmallow."""

from __future__ import annotations

from typing import Any

import marshmallow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corehost.contract.acceptance import MAX_DEPTH
from corehost.contract.errors import InvalidError, ManifestError
from corehost.contract.schema import check, compile_schema, json_faults


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )
)
def test_json_has_no_faults(value: Any) -> None:
    assert json_faults(value) == []


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (object(), ""),
        (float("nan"), ""),
        ({"a": [1, {2}]}, "/a/1"),
        ({"a": {5: 1}}, "/a"),
        (b"bytes", ""),
        (nested(MAX_DEPTH + 2), "/0" * (MAX_DEPTH + 1)),
    ],
)
def test_other_values_are_named_by_path(value: Any, path: str) -> None:
    assert [fault.path for fault in json_faults(value)] == [path]


def test_a_deep_value_is_refused_before_it_can_overflow_anything() -> None:
    assert compile_schema({"type": "array"})(nested(100_000)) != []


def test_every_fault_is_named_with_its_pointer() -> None:
    schema = {
        "type": "object",
        "required": ["b"],
        "properties": {"a/b": {"type": "array", "items": {"type": "string"}}},
    }
    faults = compile_schema(schema)({"a/b": [1, "x", 2]})

    assert sorted(fault.path for fault in faults) == ["", "/a~1b/0", "/a~1b/2"]


@pytest.mark.parametrize(
    "schema", [{"type": "strange"}, {"$ref": "https://example.com/schema.json"}, {"$ref": "#/nowhere"}, [], "text", 5]
)
def test_a_schema_that_is_not_valid_or_lies_elsewhere_is_refused(schema: Any) -> None:
    with pytest.raises(ManifestError, match="JSON Schema"):
        compile_schema(schema)


class Payload(marshmallow.Schema):
    """A schema such as a plugin declares."""

    zone = marshmallow.fields.String(required=True)
    level = marshmallow.fields.Integer()


@pytest.mark.parametrize("schema", [Payload, Payload()])
def test_marshmallow_schemas_check_likewise(schema: Any) -> None:
    checker = compile_schema(schema)

    assert checker({"zone": "UTC"}) == []
    assert {fault.path for fault in checker({"level": "high", "extra": 1})} == {"/zone", "/level", "/extra"}
    assert checker([]) != []
    assert checker({"zone": object()}) != []


def test_a_marshmallow_schema_of_many_takes_an_array() -> None:
    checker = compile_schema(Payload(many=True))

    assert checker([{"zone": "UTC"}]) == []
    assert [fault.path for fault in checker([{"zone": "UTC"}, {}])] == ["/1/zone"]
    assert checker({}) != []


def test_check_raises_with_all_faults_and_leaves_the_value_alone() -> None:
    value = {"level": "3"}
    with pytest.raises(InvalidError, match="The payload is not valid") as refused:
        check(compile_schema({"type": "object", "properties": {"level": {"type": "number"}}}), value, "The payload")

    assert [fault.path for fault in refused.value.faults] == ["/level"]
    assert value == {"level": "3"}


def test_without_a_schema_anything_that_is_json_passes() -> None:
    assert compile_schema(None)({"a": 1}) == []
    assert compile_schema(None)(object()) != []
