"""What is built of JSON is what the marshmallow schema of the type takes, and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corehost.contract.api import ApiDocumentation
from corehost.contract.errors import ManifestError
from corehost.contract.manifest import Manifest
from corehost.contract.message import MessageSchema
from corehost.contract.reading import RefusedError, reader_of
from corehost.contract.records import from_json, schema_of

VALID: tuple[tuple[type, Any], ...] = (
    (
        Manifest,
        {
            "id": "clock",
            "name": "Clock",
            "version": "1.0.0",
            "description": "Tells the time.",
            "author": None,
            "homepage": "https://example.com",
            "dependencies": [{"pluginId": "a", "version": "^1.0.0", "optional": True}],
            "permissions": ["storage:read"],
            "configSchema": {"properties": {"a": {"type": "number", "minimum": 1, "secret": False, "enum": [1, 2]}}},
            "priority": 3,
            "activation": "on-demand",
            "requires": ["pluggy>=1"],
            "contributes": {
                "basePath": "/clock",
                "navigation": [{"id": "a", "label": "A", "path": "/clock", "badge": 3}],
                "messages": {"schemas": {"tick": {}}},
            },
        },
    ),
    (MessageSchema, {"type": "clock:tick", "payload": {}, "response": None, "expectsResponse": False}),
    (
        ApiDocumentation,
        {"title": "Clock", "description": "d", "methods": {"now": {"summary": "Now"}}},
    ),
)
WRONG = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.sampled_from(["clock", "1.0.0", "^1", "https://x.y", "object", "string", "/a", "a:b"])
    | st.lists(st.none() | st.integers() | st.text(max_size=3), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.none() | st.integers() | st.text(max_size=3), max_size=2)
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all that lies in *value*."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in inner for found in places(item, (*path, key)))]


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[type, Any]:
    """Take something valid, and change, drop or add something anywhere in it."""
    kind, valid = draw(st.sampled_from(VALID))
    value = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(value)[1:] or [(None,)]))
        holder = value
        for key in way:
            holder = holder[key]
        what = draw(st.sampled_from(["change", "drop", "add"]))
        if what == "drop" and isinstance(holder, dict):
            holder.pop(last, None)
        elif what == "add" and isinstance(holder, dict):
            holder[draw(st.text(max_size=3))] = draw(WRONG)
        elif last is not None:
            holder[last] = draw(WRONG)
    return kind, value


@given(spoiled())
def test_the_reader_refuses_what_the_schema_of_the_type_refuses(case: tuple[type, Any]) -> None:
    kind, value = case
    faults = schema_of(kind)().validate(value)

    try:
        reader_of(kind)(value)
    except RefusedError:
        assert faults
        with pytest.raises(ManifestError) as caught:
            from_json(kind, value)
        assert caught.value.faults
    else:
        assert not faults


@pytest.mark.parametrize("value", [None, 3, "clock", [], ["id"]])
def test_what_is_no_object_is_refused_with_its_kind(value: Any) -> None:
    with pytest.raises(ManifestError, match="no valid Manifest") as caught:
        from_json(Manifest, value)
    assert "Must be an object" in caught.value.faults[0].message
