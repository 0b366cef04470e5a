"""Manifests beside the code and in it, and declarations that break the contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from corehost.contract.errors import MalformedError, ManifestError
from corehost.plugins.manifests import parse_manifest
from tests.plugins.workshop import Code, Workshop

GOOD = {"id": "clock", "name": "Clock", "version": "1.0.0", "description": "Ticks."}


def package(workshop: Workshop, manifest: Any, code: str = "note('imported')", name: str = "clock") -> Path:
    folder = workshop.folder / name
    folder.mkdir()
    header = workshop.source("x", "def corehost_manifest(): ...").partition("def corehost_manifest")[0]
    (folder / "__init__.py").write_text(header + code)
    (folder / "manifest.json").write_text(manifest if isinstance(manifest, str) else json.dumps(manifest))
    return folder


IN_CODE = """
@hookimpl
def corehost_manifest():
    return Manifest(id="clock", name="Clock", version="1.0.0", description="{}")
"""


def test_a_manifest_beside_the_code_is_enough(workshop: Workshop) -> None:
    package(workshop, GOOD)
    workshop.start()

    assert (workshop.status("clock"), workshop.registry.get("clock").version) == ("enabled", "1.0.0")


def test_a_plugin_that_is_off_by_its_manifest_is_listed_and_not_imported(workshop: Workshop) -> None:
    package(workshop, {**GOOD, "enabled": False})
    workshop.start()

    assert workshop.status("clock") == "disabled"
    assert workshop.registry.get("clock").manifest is not None
    assert workshop.noted() == []


def test_two_manifests_must_be_equal_in_their_normal_form(workshop: Workshop) -> None:
    package(workshop, {**GOOD, "priority": 0}, IN_CODE.format("Ticks."))
    workshop.start()
    assert workshop.status("clock") == "enabled", workshop.error("clock")

    (workshop.folder / "clock" / "__init__.py").write_text("from corehost import *\n" + IN_CODE.format("Tocks."))
    workshop.restart()
    assert "/description: 'Ticks.' in the file, 'Tocks.' in the code." in workshop.error("clock")


def test_ten_faults_are_named_at_once(workshop: Workshop) -> None:
    bad = {
        "id": "Clock",
        "name": " ",
        "version": "1.0",
        "description": 3,
        "dependencies": [{"pluginId": "Bad Id", "version": "x y", "extra": 1}],
        "permissions": ["nonsense"],
        "priority": "high",
        "enabled": "yes",
        "isolation": "some",
        "unknown": 1,
    }
    package(workshop, bad)
    workshop.start()

    error = workshop.error("clock")
    for path in ("id", "name", "version", "description", "permissions", "priority", "enabled", "isolation", "unknown"):
        assert f"/{path}:" in error
    assert "/dependencies/0/pluginId:" in error
    assert workshop.noted() == []


def test_faults_that_lie_in_several_fields_together_are_found_in_a_file_as_well() -> None:
    value = {"id": "a", "name": "A", "version": "1.0.0", "description": "", "permissions": []}
    needs_itself = {**value, "dependencies": [{"pluginId": "a", "version": "*"}]}

    assert parse_manifest(json.dumps(value).encode(), "manifest.json").id == "a"
    with pytest.raises(ManifestError) as refused:
        parse_manifest(json.dumps(needs_itself).encode(), "manifest.json")
    assert [fault.path for fault in refused.value.faults] == ["/dependencies/0"]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"{", MalformedError),
        (b"\xff\xfe", MalformedError),
        (b"[" * 100_000, MalformedError),
        (b"[]", ManifestError),
        (b"null", ManifestError),
        (b" " * 1_000_001, ManifestError),
        (b"{}", ManifestError),
    ],
)
def test_what_is_no_manifest_is_refused_clearly(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"manifest\.json|Manifest"):
        parse_manifest(data, "manifest.json")


def test_a_plugin_whose_code_alone_asks_for_isolation_comes_too_late(workshop: Workshop) -> None:
    workshop.write("clock", '@hookimpl\ndef corehost_setup(context):\n    note("setup")\n', isolation="process")
    workshop.start()

    assert workshop.status("clock") == "error"
    assert "which only its code says: too late to isolate it" in workshop.error("clock")
    assert workshop.noted() == []


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"corehost": ">=99"}, "Needs corehost >=99"),
        ({"requires": ("no-such-package-at-all",)}, "'no-such-package-at-all' is not installed"),
        ({"requires": ("pluggy>=99",)}, "must be >=99, found"),
        ({"requires": ("!!",)}, "no requirement by PEP 508"),
    ],
)
def test_what_this_host_lacks_is_named(workshop: Workshop, values: dict[str, Any], text: str) -> None:
    workshop.write("clock", **values)
    workshop.start()

    assert text in workshop.error("clock")


def test_what_is_installed_or_not_meant_for_here_is_no_obstacle(workshop: Workshop) -> None:
    workshop.write("clock", corehost=">=0.1", requires=("pluggy>=1", "nothing; python_version < '3'"))
    workshop.start()

    assert workshop.status("clock") == "enabled"


def test_a_file_must_be_named_as_its_plugin(workshop: Workshop) -> None:
    (workshop.folder / "watch.py").write_text(workshop.source("clock"))
    workshop.start()

    assert "Name the file or folder 'clock'" in workshop.error("watch")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("return ApiSpec(version='1', methods={'status': Method(handler=print)})", "/api/version"),
        ("return ApiSpec(version='1', methods={'status': Method(handler=print)})", "/api/methods/status"),
        ("return ApiSpec(version='1.0.0', methods={'a': Method(handler=3)})", "Must be a function"),
        (
            "return ApiSpec(version='1.0.0', methods={'a': Method(handler=print, input_schema={'type': 'x'})})",
            "inputSchema",
        ),
        ("return ApiSpec(version='1.0.0', methods={'a': print})", "/api/methods/a"),
        ("return {}", "Must be a ApiSpec, not a dict"),
    ],
)
def test_an_api_that_breaks_the_contract_is_refused(workshop: Workshop, code: str, text: str) -> None:
    workshop.write("clock", f"@hookimpl\ndef corehost_api(): {code}\n", permissions=("api:expose",))
    workshop.start()

    assert workshop.status("clock") == "error"
    assert text in workshop.error("clock")


@pytest.mark.parametrize(
    ("hook", "code", "text"),
    [
        ("routes", "RoutesSpec(base_path='/watch')", "must be '/clock' or below it"),
        ("routes", "RoutesSpec(base_path='/clockwork')", "must be '/clock' or below it"),
        ("routes", "RoutesSpec(base_path='/clock', static='../secrets')", "/routes/static"),
        ("messages", "MessagesSpec(schemas={'a': MessageSchema(type='other:a', payload={})})", "belongs to 'other'"),
        ("messages", "MessagesSpec(schemas={'a': MessageSchema(type='core:a', payload={})})", "belongs to 'core'"),
        (
            "messages",
            "MessagesSpec(schemas={'a': MessageSchema(type='clock:a', payload={'type': 1})})",
            "/messages/schemas/a/payload",
        ),
        ("stores", "StoresSpec(writable={'a': writable(1)}, schemas={'a': {'type': 'string'}})", "/stores/a"),
        ("stores", "StoresSpec(writable={'a': writable(object())})", "/stores/a"),
        ("stores", "StoresSpec(writable={'a': 5})", "Must be a Writable store"),
    ],
)
def test_rules_across_declarations_are_checked(workshop: Workshop, hook: str, code: str, text: str) -> None:
    workshop.write("other", priority=9)
    workshop.write(
        "clock",
        f"@hookimpl\ndef corehost_{hook}(): return {code}\n",
        permissions=("routes:register", "plugins:communicate"),
    )
    workshop.start()

    assert text in workshop.error("clock")


def test_each_permission_that_a_declaration_needs_is_named(workshop: Workshop) -> None:
    body = """
    @hookimpl
    def corehost_api(): return ApiSpec(version="1.0.0")
    @hookimpl
    def corehost_routes(): return RoutesSpec(base_path="/clock")
    @hookimpl
    def corehost_messages(): return MessagesSpec()
    """
    workshop.write("clock", body)
    workshop.start()

    for permission in ("api:expose", "routes:register", "plugins:communicate"):
        assert permission in workshop.error("clock")


def test_an_operator_may_grant_another_base_path(workshop: Workshop) -> None:
    body = "@hookimpl\ndef corehost_routes(): return RoutesSpec(base_path='/time/now')\n"
    workshop.write("clock", body, permissions=("routes:register",))
    workshop.start(base_paths={"clock": "/time"})

    assert workshop.status("clock") == "enabled", workshop.error("clock")


def test_a_type_of_nobody_may_be_declared_by_one_plugin_only(workshop: Workshop) -> None:
    spec = "MessagesSpec(schemas={'a': MessageSchema(type='free:a', payload={})})"
    body = f"@hookimpl\ndef corehost_messages(): return {spec}\n"
    workshop.write("one", body, permissions=("plugins:communicate",), priority=1)
    workshop.write("two", body, permissions=("plugins:communicate",))
    workshop.start()

    assert workshop.status("one") == "enabled"
    assert "one" in workshop.error("two")


def test_a_manifest_of_the_wrong_kind_is_refused(workshop: Workshop) -> None:
    workshop.write("clock", "@hookimpl\ndef corehost_manifest(): return {'id': 'clock'}\n")
    workshop.write("watch", "@hookimpl\ndef corehost_manifest(): return None\n")
    workshop.write("sundial", dependencies=Code("('core-ui',)"), version=Code("1.0"))
    workshop.start()

    assert "must return a Manifest, not a dict" in workshop.error("clock")
    assert "has no manifest" in workshop.error("watch")
    assert "/dependencies/0" in workshop.error("sundial")
    assert "/version" in workshop.error("sundial")
