from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from corehost.web.api import PluginsApi
from tests.web.bench import Bench

CLOCK = """
zone = writable("UTC")
length = derived(zone, len)

def now(input, context):
    return {"zone": zone.get(), "input": input, "user": None if context.user is None else context.user.id}

def fails(input, context):
    raise ValueError("secret /etc/passwd")

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={
        "now": Method(handler=now, description="The time."),
        "strict": Method(handler=now, input_schema={"type": "object", "required": ["a"],
                         "properties": {"a": {"type": "integer"}}}),
        "fails": Method(handler=fails),
        "liar": Method(handler=now, output_schema={"type": "array"}),
    })

@hookimpl
def corehost_stores():
    return StoresSpec(writable={"zone": zone}, readable={"length": length}, schemas={"zone": {"type": "string"}})

@hookimpl
def corehost_messages():
    return MessagesSpec(handlers={"tick": Handler(handle=print)},
                        schemas={"tick": MessageSchema(type="clock:tick", payload={"type": "object"})})

@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/clock", routes=(Route(path="/:id", view=lambda id: id),),
                      navigation=(NavigationItem(id="clock", label="Clock", path="/clock/1"),))
"""
NEEDS = """
@hookimpl
def corehost_manifest():
    return Manifest(id="needs", name="Needs", version="1.0.0", description="d",
                    dependencies=(PluginDependency(plugin_id="clock", version="*"),))
"""


@pytest.fixture
def clock(bench: Bench) -> Bench:
    bench.write("clock", CLOCK)
    return bench.start()


def json(answer: TestResponse) -> Any:
    assert answer.content_type.startswith("application/"), answer.text
    return answer.json


def problem(answer: TestResponse, status: int, slug: str) -> dict[str, Any]:
    assert answer.content_type == "application/problem+json"
    document: dict[str, Any] = json(answer)
    assert (answer.status_code, document["status"]) == (status, status)
    assert document["type"] == f"urn:corehost:problem:{slug}"
    assert document["title"]
    assert document["detail"]
    return document


def test_the_list_names_all_plugins(clock: Bench) -> None:
    (entry,) = json(clock.get("/api/plugins/manifest"))["items"]

    assert {key: entry[key] for key in ("id", "enabled", "status")} == {
        "id": "clock",
        "enabled": True,
        "status": "enabled",
    }
    assert entry["source"]["type"] == "local"
    assert entry["manifest"]["version"] == "1.0.0"
    assert "error" not in entry


def test_one_plugin_is_described_in_full(clock: Bench) -> None:
    found = json(clock.get("/api/plugins/clock"))

    assert found["methods"]["strict"]["inputSchema"]["required"] == ["a"]
    assert found["messages"]["handlers"] == ["clock:tick"]
    assert found["routes"][0]["path"] == "/clock/:id"
    assert found["navigation"][0]["label"] == "Clock"
    assert found["stores"] == {"readable": ["length"], "writable": ["zone"], "schemas": {"zone": {"type": "string"}}}


def test_a_failed_plugin_is_listed_with_its_reason(bench: Bench) -> None:
    (bench.plugins_folder / "broken.py").write_text("raise RuntimeError('no')")
    bench.plugins.start()

    (entry,) = json(bench.get("/api/plugins/manifest"))["items"]

    assert (entry["id"], entry["status"], entry["manifest"]) == ("broken", "error", None)
    assert "RuntimeError: no" in entry["error"]
    assert json(bench.get("/api/plugins/broken"))["methods"] == {}


def test_a_method_is_called_by_path_and_by_name(clock: Bench) -> None:
    by_path = clock.ask("POST", "/api/plugins/clock/now", json={"a": 1})
    by_name = clock.ask("POST", "/api/plugins/clock", json={"method": "now", "input": {"a": 1}})

    assert json(by_path) == json(by_name) == {"result": {"zone": "UTC", "input": {"a": 1}, "user": None}}
    assert json(clock.ask("POST", "/api/plugins/clock/now"))["result"]["input"] == {}


def test_a_store_is_read_and_written(clock: Bench) -> None:
    assert json(clock.get("/api/plugins/clock/stores/zone")) == {"value": "UTC", "version": 0}

    written = clock.ask("PUT", "/api/plugins/clock/stores/zone", json={"value": "CET+1"})

    assert json(written) == {"value": "CET+1", "version": 1}
    assert json(clock.get("/api/plugins/clock/stores/length"))["value"] == 5


def test_a_store_that_has_changed_meanwhile_is_not_overwritten(clock: Bench) -> None:
    path = "/api/plugins/clock/stores/zone"
    clock.ask("PUT", path, json={"value": "CET", "version": 0})

    problem(clock.ask("PUT", path, json={"value": "EST", "version": 0}), 409, "conflict")
    problem(clock.ask("PUT", path, json={"value": "EST", "version": "1"}), 422, "invalid")
    assert json(clock.ask("PUT", path, json={"value": "EST", "version": 1})) == {"value": "EST", "version": 2}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "slug"),
    [
        ("GET", "/api/plugins/nobody", None, 404, "not-found"),
        ("POST", "/api/plugins/nobody/now", {}, 404, "not-found"),
        ("POST", "/api/plugins/clock/never", {}, 404, "no-method"),
        ("POST", "/api/plugins/clock", {"method": "never"}, 404, "no-method"),
        ("POST", "/api/plugins/clock", {"method": 5}, 422, "invalid"),
        ("POST", "/api/plugins/clock", {}, 422, "invalid"),
        ("POST", "/api/plugins/clock", {"method": "now", "more": 1}, 422, "invalid"),
        ("POST", "/api/plugins/clock", [], 422, "invalid"),
        ("POST", "/api/plugins/clock/strict", {"a": "x"}, 422, "invalid"),
        ("POST", "/api/plugins/clock/fails", {}, 502, "plugin-fault"),
        ("POST", "/api/plugins/clock/liar", {}, 502, "plugin-fault"),
        ("GET", "/api/plugins/clock/stores/none", None, 404, "not-found"),
        ("PUT", "/api/plugins/clock/stores/zone", {"value": 5}, 422, "invalid"),
        ("PUT", "/api/plugins/clock/stores/zone", {}, 422, "invalid"),
        ("PUT", "/api/plugins/clock/stores/length", {"value": 5}, 409, "conflict"),
        ("PUT", "/api/plugins/clock/status", {"status": "asleep"}, 422, "invalid"),
        ("PUT", "/api/plugins/clock/status", {"status": "enabled", "x": 1}, 422, "invalid"),
        ("PUT", "/api/plugins/clock/status?cascade=maybe", {"status": "disabled"}, 422, "invalid"),
        ("PUT", "/api/plugins/nobody/status", {"status": "enabled"}, 404, "not-found"),
        ("DELETE", "/api/plugins/nobody", None, 404, "not-found"),
        ("DELETE", "/api/plugins/clock?remove=1", None, 409, "conflict"),
        ("GET", "/api", None, 404, "not-found"),
        ("GET", "/api/plugins", None, 405, "method-not-allowed"),
        ("POST", "/api/plugins", {}, 422, "invalid"),
        ("POST", "/api/plugins", {"source": 5}, 422, "invalid"),
        ("POST", "/api/plugins", {"source": "x", "force": "yes"}, 422, "invalid"),
        ("PUT", "/api/plugins/clock/version", {}, 409, "conflict"),
        ("PUT", "/api/plugins/nobody/version", {}, 404, "not-found"),
        ("DELETE", "/api/plugins/clock/version", None, 409, "conflict"),
        ("GET", "/api/jobs/never", None, 404, "not-found"),
        ("GET", "/api/never", None, 404, "not-found"),
        ("PATCH", "/api/plugins/clock", {}, 405, "method-not-allowed"),
        ("DELETE", "/api/plugins/manifest", None, 405, "method-not-allowed"),
    ],
)
def test_what_cannot_be_done_is_a_problem(
    clock: Bench, method: str, path: str, body: Any, status: int, slug: str
) -> None:
    options = {} if body is None else {"json": body}

    problem(clock.ask(method, path, **options), status, slug)


def test_faults_are_named_with_their_paths(clock: Bench) -> None:
    document = problem(clock.ask("POST", "/api/plugins/clock/strict", json={"a": "x"}), 422, "invalid")

    assert [fault["path"] for fault in document["errors"]] == ["/a"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"[" * 100_000 + b"]" * 100_000, "application/json"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "application/json"),
        (b'"\xff\xfe"', "application/json"),
        (b"NaN", "application/json"),
        (b"{} {}", "application/json"),
        (b"\x00", "application/json"),
        (b"a=1", "application/x-www-form-urlencoded"),
        (b"{}", "text/plain"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_problem_and_leaves_no_trace(
    clock: Bench, body: bytes, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    problem(clock.ask("POST", "/api/plugins/clock/now", data=body, content_type=kind), 400, "malformed")

    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_body_over_the_limit_is_a_problem(clock: Bench) -> None:
    big = b'"' + b"x" * 1_000_001 + b'"'

    problem(clock.ask("POST", "/api/plugins/clock/now", data=big, content_type="application/json"), 413, "too-large")
    unsized = {"wsgi.input_terminated": True, "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = clock.ask(
        "POST", "/api/plugins/clock/now", data=big, content_type="application/json", environ_overrides=unsized
    )
    problem(answer, 413, "too-large")


def test_a_plugins_own_words_reach_the_caller_but_no_place_in_the_code(clock: Bench) -> None:
    document = problem(clock.ask("POST", "/api/plugins/clock/fails", json={}), 502, "plugin-fault")

    assert "clock.fails" in document["detail"]
    assert "line" not in document["detail"]


def test_a_plugin_is_switched_off_and_on(clock: Bench) -> None:
    off = clock.ask("PUT", "/api/plugins/clock/status", json={"status": "disabled"})
    assert json(off) == {"id": "clock", "status": "disabled"}
    problem(clock.ask("POST", "/api/plugins/clock/now", json={}), 409, "conflict")
    problem(clock.get("/api/plugins/clock/stores/zone"), 409, "conflict")
    assert clock.get("/clock/1").status_code == 404

    on = clock.ask("PUT", "/api/plugins/clock/status", json={"status": "enabled"})
    assert json(on) == {"id": "clock", "status": "enabled"}
    assert clock.get("/clock/1").status_code == 200


def test_a_plugin_that_others_need_stays_unless_all_go(bench: Bench) -> None:
    bench.write("clock", CLOCK)
    bench.write("needs", NEEDS)
    bench.start()

    refused = problem(bench.ask("PUT", "/api/plugins/clock/status", json={"status": "disabled"}), 409, "conflict")
    assert refused["dependants"] == ["needs"]

    plan = json(bench.ask("PUT", "/api/plugins/clock/status?dryRun=1&cascade=1", json={"status": "disabled"}))
    assert plan["plan"]["unload"] == ["needs", "clock"]
    assert json(bench.get("/api/plugins/clock"))["status"] == "enabled"

    bench.ask("PUT", "/api/plugins/clock/status?cascade=1", json={"status": "disabled"})
    assert json(bench.get("/api/plugins/needs"))["status"] == "disabled"

    looked = json(bench.ask("PUT", "/api/plugins/clock/status?dryRun=1", json={"status": "enabled"}))["plan"]
    assert {
        "plugin": "clock",
        "permission": "routes:register",
        "meaning": "Show pages, and entries in the menu.",
        "awaits": False,
    } in looked["requests"]
    bench.ask("PUT", "/api/plugins/needs/status?cascade=1", json={"status": "enabled"})
    assert json(bench.get("/api/plugins/clock"))["status"] == "enabled"


def test_a_plugin_is_reloaded_and_what_does_not_hold_is_a_problem_with_file_and_line(bench: Bench) -> None:
    bench.write("clock", CLOCK)
    bench.start()
    path = "/api/plugins/clock/status?reload=1"

    plan = json(bench.ask("PUT", f"{path}&dryRun=1", json={"status": "enabled"}))["plan"]
    done = json(bench.ask("PUT", path, json={"status": "enabled"}))
    refused = bench.ask("PUT", path, json={"status": "disabled"})
    bench.write("clock", "def half(:")
    failed = problem(bench.ask("PUT", path, json={"status": "enabled"}), 502, "plugin-fault")

    assert (plan["load"], plan["unload"], plan["obstacles"]) == (["clock"], ["clock"], [])
    assert done == {"id": "clock", "status": "enabled"}
    assert refused.status_code in (400, 422)
    assert re.search(r"clock\.py:\d+", failed["detail"])
    assert json(bench.get("/api/plugins/clock"))["status"] == "enabled"


def test_a_removed_plugin_is_unknown_until_the_next_scan(clock: Bench) -> None:
    assert clock.ask("DELETE", "/api/plugins/clock").status_code == 204
    problem(clock.get("/api/plugins/clock"), 404, "not-found")

    clock.plugins.lifecycle.rescan()

    assert clock.get("/api/plugins/clock").status_code == 200


def test_a_change_that_takes_long_is_accepted_and_goes_on(bench: Bench, tmp_path: Any) -> None:
    bench.write("clock", CLOCK)
    (bench.plugins_folder / "slow.py").write_text(
        "import time, pathlib\nfrom corehost import *\n"
        f"while not pathlib.Path({str(tmp_path / 'go')!r}).exists(): time.sleep(0.01)\n"
        "@hookimpl\ndef corehost_manifest():\n"
        "    return Manifest(id='slow', name='S', version='1.0.0', description='', enabled=False)\n"
    )
    (tmp_path / "go").touch()
    bench.plugins.start()
    bench.ready.set()
    (tmp_path / "go").unlink()
    api = PluginsApi(bench.plugins, bench.web.site, bench.web.bulkhead, patience=0.05)
    bench.web.register(_renamed(api))

    answer = bench.ask("PUT", "/patient/api/plugins/slow/status", json={"status": "enabled"})

    assert answer.status_code == 202
    assert answer.headers["Location"] == "/api/plugins/slow"
    (tmp_path / "go").touch()
    bench.plugins.lifecycle.enable("slow", timeout=10.0)
    assert json(bench.get("/api/plugins/slow"))["status"] == "enabled"


def _renamed(api: PluginsApi) -> Any:
    blueprint = api.blueprint()
    blueprint.name = "patient"
    blueprint.url_prefix = "/patient/api/plugins"
    return blueprint


def test_a_plugin_stuck_in_a_method_leaves_the_rest_alone(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(threads=2)
    bench.write("clock", CLOCK.replace("def now(input, context):", "def now(input, context):\n    GO.wait(5)\n"))
    bench.plugins_folder.joinpath("clock.py").write_text(
        "import threading\nGO = threading.Event()\n" + bench.plugins_folder.joinpath("clock.py").read_text()
    )
    bench.start()
    done: list[int] = []

    def call() -> None:
        done.append(bench.ask("POST", "/api/plugins/clock/now", json={}).status_code)

    caller = threading.Thread(target=call)
    caller.start()
    end = time.monotonic() + 5.0
    while not bench.web.bulkhead.inside() and time.monotonic() < end:
        threading.Event().wait(0.005)

    problem(bench.ask("POST", "/api/plugins/clock/now", json={}), 503, "busy")
    assert bench.get("/healthz").status_code == 200
    module = bench.plugins.registry.get("clock").module
    assert module is not None
    module.GO.set()
    caller.join(5.0)
    assert done == [200]
