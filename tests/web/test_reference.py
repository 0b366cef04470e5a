from __future__ import annotations

import json
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.web.bench import Bench
from tests.web.test_api import CLOCK


@pytest.fixture
def clock(bench: Bench) -> Bench:
    bench.write("clock", CLOCK)
    return bench.start()


def refers(document: Any) -> list[str]:
    if isinstance(document, dict):
        own = [document["$ref"]] if isinstance(document.get("$ref"), str) else []
        return own + [ref for value in document.values() for ref in refers(value)]
    return [ref for value in document for ref in refers(value)] if isinstance(document, list) else []


def resolves(document: Any, reference: str) -> bool:
    here = document
    steps = [step.replace("~1", "/").replace("~0", "~") for step in reference.removeprefix("#/").split("/")]
    for step in steps:
        if not isinstance(here, dict) or step not in here:
            return False
        here = here[step]
    return True


def test_openapi_describes_the_methods_and_stores_that_are_live(clock: Bench) -> None:
    document = json.loads(clock.get("/api/openapi.json").data)

    assert document["openapi"].startswith("3.1")
    operation = document["paths"]["/api/plugins/clock/strict"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["a"]
    assert set(document["paths"]["/api/plugins/clock/stores/zone"]) == {"get", "put"}
    assert set(document["paths"]["/api/plugins/clock/stores/length"]) == {"get"}
    assert all(resolves(document, ref) for ref in refers(document))
    ids = [op["operationId"] for path in document["paths"].values() for op in path.values() if "operationId" in op]
    assert len(ids) == len(set(ids))

    clock.plugins.lifecycle.disable("clock")
    assert "/api/plugins/clock/strict" not in json.loads(clock.get("/api/openapi.json").data)["paths"]


def test_asyncapi_describes_the_message_types(clock: Bench) -> None:
    document = json.loads(clock.get("/api/asyncapi.json").data)

    assert document["asyncapi"] == "3.0.0"
    assert document["components"]["messages"]["clock.tick"]["payload"] == {"type": "object"}
    assert all(resolves(document, ref) for ref in refers(document))


def test_the_documentation_shows_what_plugins_declare(clock: Bench) -> None:
    page = clock.get("/docs").text

    for text in ("POST /api/plugins/clock/now", "The time.", "clock:tick", "stores/zone", "/clock/:id"):
        assert text in page


def test_the_metrics_are_prometheus(clock: Bench) -> None:
    clock.get("/clock/1")
    clock.ask("POST", "/api/plugins/clock/fails", json={})

    answer = clock.get("/metrics")

    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert answer.content_type.startswith("text/plain")
    times = {
        (s.name.rpartition("_")[2], s.labels["plugin"], s.labels["kind"]): s.value
        for s in families["corehost_plugin_duration_seconds"].samples
    }
    assert times["count", "clock", "route"] == 1.0
    assert times["sum", "clock", "route"] > 0.0
    errors = {(s.labels["plugin"], s.labels["kind"]): s.value for s in families["corehost_plugin_errors"].samples}
    assert errors["clock", "method"] == 1.0
    assert "process_open_fds" in families


@pytest.mark.parametrize("path", ["/api/openapi.json", "/api/asyncapi.json", "/docs", "/metrics"])
def test_none_of_it_is_for_strangers(clock: Bench, path: str) -> None:
    assert clock.browse(path).status_code in (303, 401)
