"""Declared values and their JSON form."""

from __future__ import annotations

import dataclasses
from typing import Any

import marshmallow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corehost import (
    ApiSpec,
    ConfigProperty,
    ConfigSchema,
    Guard,
    Handler,
    Manifest,
    MessageSchema,
    MessagesSpec,
    Method,
    NavigationItem,
    PluginDependency,
    Route,
    RoutesSpec,
    StoresSpec,
    writable,
)
from corehost.contract.errors import ManifestError
from corehost.contract.manifest import Contributions
from corehost.contract.records import faults_of, from_json, to_json

TEXT = st.text(min_size=1).filter(lambda text: text.strip())
MANIFESTS = st.builds(
    Manifest,
    id=st.from_regex(r"x[a-z0-9]{0,5}(-[a-z0-9]{1,5}){0,2}", fullmatch=True),
    name=TEXT,
    version=st.from_regex(r"[1-9]\.[0-9]\.[0-9]", fullmatch=True),
    description=st.text(),
    author=st.none() | st.text(),
    homepage=st.none() | st.just("https://example.com"),
    icon=st.none() | st.text(),
    dependencies=st.lists(
        st.builds(
            PluginDependency, plugin_id=st.sampled_from(["a", "b-c"]), version=st.just("^1.0.0"), optional=st.booleans()
        ),
        unique_by=lambda dependency: dependency.plugin_id,
    ).map(tuple),
    permissions=st.lists(st.sampled_from(["storage:read", "a:b:c", "plugin:x:*"])).map(tuple),
    config_schema=st.none()
    | st.just(
        ConfigSchema(
            properties={
                "a": ConfigProperty(type="number", default=1.5, minimum=1),
                "b": ConfigProperty(type="string", enum=("x",)),
            },
            required=("a",),
        )
    ),
    priority=st.integers(),
    enabled=st.booleans(),
    corehost=st.none() | st.just(">=0.1"),
    requires=st.lists(st.just("pluggy>=1")).map(tuple),
    contributes=st.none()
    | st.just(Contributions(base_path="/a", navigation=(NavigationItem(id="a", label="A", path="/a", badge=3),))),
)


@given(MANIFESTS)
def test_a_manifest_survives_the_way_through_json(manifest: Manifest) -> None:
    assert faults_of(manifest) == []
    assert from_json(Manifest, to_json(manifest)) == manifest


def test_json_is_in_camel_case_and_holds_neither_code_nor_what_is_absent() -> None:
    route = Route(path="/", view=print, guards=(Guard(can_activate=bool, redirect_to="/home"),))
    found = to_json(RoutesSpec(base_path="/clock", routes=(route,)))

    assert found["basePath"] == "/clock"
    assert found["routes"][0]["guards"] == [{"redirectTo": "/home"}]
    assert "view" not in found["routes"][0]
    assert "title" not in found["routes"][0]["meta"]


def test_a_marshmallow_schema_becomes_json_schema() -> None:
    class Payload(marshmallow.Schema):
        zone = marshmallow.fields.String(required=True)

    found = to_json(MessageSchema(type="clock:tick", payload=Payload))

    assert found["payload"]["properties"]["zone"]["type"] == "string"
    assert found["payload"]["required"] == ["zone"]


GOOD: dict[str, Any] = {"id": "clock", "name": "Clock", "version": "1.0.0", "description": ""}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"id": "Clock"}, "/id"),
        ({"id": "core"}, "/id"),
        ({"id": "a--b"}, "/id"),
        ({"id": "x" * 65}, "/id"),
        ({"id": 5}, "/id"),
        ({"name": "  "}, "/name"),
        ({"version": "1.0"}, "/version"),
        ({"description": None}, "/description"),
        ({"homepage": "javascript:alert(1)"}, "/homepage"),
        ({"permissions": ["x"]}, "/permissions"),
        ({"permissions": "storage:read"}, "/permissions"),
        ({"dependencies": [{"pluginId": "a", "version": "what"}]}, "/dependencies/0/version"),
        ({"dependencies": [{"pluginId": "a"}]}, "/dependencies/0/version"),
        ({"dependencies": [{"pluginId": "a", "version": "*", "is": 1}]}, "/dependencies/0/is"),
        ({"priority": 1.5}, "/priority"),
        ({"priority": True}, "/priority"),
        ({"enabled": 1}, "/enabled"),
        ({"activation": "later"}, "/activation"),
        ({"configSchema": {"properties": {"a": {"type": "colour"}}}}, "/configSchema/properties/a/type"),
        (
            {"configSchema": {"properties": {"a": {"type": "number", "minimum": "1"}}}},
            "/configSchema/properties/a/minimum",
        ),
        (
            {"contributes": {"navigation": [{"id": "a", "label": "A", "path": "//evil"}]}},
            "/contributes/navigation/0/path",
        ),
        ({"unknown": 1}, "/unknown"),
    ],
)
def test_each_fault_is_named_by_its_path(change: dict[str, Any], path: str) -> None:
    with pytest.raises(ManifestError) as refused:
        from_json(Manifest, {**GOOD, **change})

    assert [fault.path for fault in refused.value.faults] == [path]


@pytest.mark.parametrize("data", [None, [], "text", 5])
def test_what_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(ManifestError, match="Must be an object"):
        from_json(Manifest, data)


def test_all_missing_fields_are_named_at_once() -> None:
    with pytest.raises(ManifestError) as refused:
        from_json(Manifest, {})

    assert {fault.path for fault in refused.value.faults} == {"/id", "/name", "/version", "/description"}


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (Manifest(**{**GOOD, "dependencies": (PluginDependency(plugin_id="clock", version="*"),)}), "/dependencies/0"),
        (Manifest(**{**GOOD, "dependencies": ("core-ui",)}), "/dependencies/0"),
        (ConfigSchema(required=("a",)), "/required"),
        (ConfigProperty(type="string", default=5), "/default"),
        (ConfigProperty(type="string", default="c", enum=("a", "b")), "/default"),
        (ConfigProperty(type="number", minimum=2, maximum=1), "/minimum"),
        (ApiSpec(version="1.0.0", methods={"stores": Method(handler=print)}), "/methods/stores"),
        (ApiSpec(version="1.0.0", methods={"a b": Method(handler=print)}), "/methods/a b"),
        (ApiSpec(version="1.0.0", methods={"a": Method(handler=None)}), "/methods/a/handler"),  # type: ignore[arg-type]  # what is tested
        (RoutesSpec(base_path="/"), "/basePath"),
        (RoutesSpec(base_path="/a/"), "/basePath"),
        (RoutesSpec(base_path="/a", routes=(Route(path="b", view=print),)), "/routes/0/path"),
        (RoutesSpec(base_path="/a", routes=(Route(path="/../b", view=print),)), "/routes/0/path"),
        (RoutesSpec(base_path="/a", routes=(Route(path="/b"),)), "/routes/0/view"),
        (Guard(can_activate=bool, redirect_to="https://evil.example"), "/redirectTo"),
        (Guard(can_activate=bool, redirect_to="//evil.example"), "/redirectTo"),
        (Guard(can_activate=bool, redirect_to="/\\evil.example"), "/redirectTo"),
        (MessagesSpec(handlers={"a": print}), "/handlers/a"),  # type: ignore[dict-item]  # what is tested
        (MessagesSpec(schemas={"a": MessageSchema(type="a b", payload={})}), "/schemas/a/type"),
        (MessagesSpec(schemas={"a": MessageSchema(type="a", payload=5)}), "/schemas/a/payload"),
        (StoresSpec(readable={"a": 5}), "/readable/a"),  # type: ignore[dict-item]  # what is tested
        (StoresSpec(schemas={"a": {}}), "/schemas/a"),
        (Handler(handle="print"), "/handle"),  # type: ignore[arg-type]  # what is tested
    ],
)
def test_faults_of_values_made_in_code_are_found_too(value: Any, path: str) -> None:
    assert path in [fault.path for fault in faults_of(value)]


def test_one_store_cannot_be_both_readable_and_writable() -> None:
    store = writable(1)

    assert faults_of(StoresSpec(readable={"a": store}, writable={"a": store})) != []


def test_values_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Handler(handle=print).priority = 5  # type: ignore[misc]  # what is tested
