"""Bad input gets a clear answer, and nothing in the log is a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serve.kit import Served, place, until

DEEP = b"[" * 100_000
CALL = "/api/plugins/clock/now"
SEND = "/api/plugins/messages"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("bad-input")
    place(folder, "clock")
    served = Served(folder)
    try:
        yield served.ready()
        assert served.tracebacks() == []
    finally:
        served.kill()


def test_no_body_at_all_is_refused_where_one_is_needed(host: Served) -> None:
    assert host.request("POST", SEND, body=b"", headers=JSON).status == 400


@pytest.mark.parametrize("path", [CALL, SEND])
@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        (b"{", {400}),
        (b'{"a": 1,}', {400}),
        (b"\xff\xfe{}", {400}),
        (b'"\xc3\x28"', {400}),
        (DEEP, {400}),
        (b'{"a":' * 100_000, {400}),
        (b"NaN", {400}),
        (b"[]", {400, 422}),
        (b"3", {400, 422}),
        (b"1" * 100_000, {400, 422}),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(host: Served, path: str, body: bytes, statuses: set[int]) -> None:
    answer = host.request("POST", path, body=body, headers=JSON)

    assert answer.status in statuses
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.json()["status"] == answer.status
    assert answer.json()["detail"]


@pytest.mark.parametrize("path", [CALL, SEND])
def test_a_body_of_ten_megabytes_is_refused(host: Served, path: str) -> None:
    body = json.dumps({"type": "work:x", "payload": "x" * 10_500_000}).encode()

    answer = host.request("POST", path, body=body, headers=JSON)

    assert answer.status == 413


@pytest.mark.parametrize(
    ("method", "path", "value", "status"),
    [
        ("POST", "/api/plugins/nobody/now", {}, 404),
        ("POST", "/api/plugins/clock/nothing", {}, 404),
        ("POST", "/api/plugins/clock", {"method": "nothing"}, 404),
        ("GET", "/api/plugins/nobody", None, 404),
        ("GET", "/api/plugins/clock/stores/nothing", None, 404),
        ("PUT", "/api/plugins/clock/stores/zone", {"value": 3}, 422),
        ("PUT", "/api/plugins/clock/status", {"status": "perhaps"}, 422),
        ("PUT", "/api/plugins/nobody/status", {"status": "enabled"}, 404),
        ("POST", SEND, {"payload": 1}, 422),
        ("POST", SEND, {"type": "a b"}, 422),
        ("POST", SEND, {"type": "core:lie"}, 403),
        ("POST", SEND, {"type": "clock:ask", "payload": "no object"}, 422),
        ("POST", SEND, {"type": "work:x", "target": "nobody"}, 404),
        ("POST", SEND, {"type": "work:x", "more": 1}, 422),
        ("GET", f"{SEND}?limit=-1", None, 422),
        ("GET", f"{SEND}?limit=0", None, 422),
        ("GET", f"{SEND}?limit=many", None, 422),
        ("GET", f"{SEND}?since=nonsense", None, 400),
        ("GET", "/api/nothing", None, 404),
        ("PATCH", "/api/plugins/manifest", {}, 405),
    ],
)
def test_what_makes_no_sense_gets_a_problem_that_says_so(
    host: Served, method: str, path: str, value: Any, status: int
) -> None:
    answer = host.request(method, path, value)

    assert answer.status == status, answer.text
    assert answer.json()["title"]
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", -32700),
        ("[" * 50_000, -32700),
        ("[]", -32600),
        ("3", -32600),
        ('{"jsonrpc": "2.0", "id": 1}', -32600),
        ('{"jsonrpc": "2.0", "id": 1, "method": "nothing"}', -32601),
        ('{"jsonrpc": "2.0", "id": 1, "method": "bus.subscribe"}', -32602),
        ('{"jsonrpc": "2.0", "id": 1, "method": "bus.history", "params": {"limit": -1}}', -32602),
        ('{"jsonrpc": "2.0", "id": 1, "method": "plugins.call", "params": {"plugin": "x", "method": "y"}}', -32004),
        ('{"jsonrpc": "2.0", "id": 1, "method": "plugins.call", "params": {"plugin": "clock", "method": "y"}}', -32601),
    ],
)
def test_a_socket_answers_bad_requests_and_lives_on(host: Served, text: str, code: int) -> None:
    with host.browser() as browser:
        browser.socket.send(text)

        assert json.loads(browser.socket.recv(30))["error"]["code"] == code
        assert "code" not in browser.call("ping")


def test_ten_faults_of_a_manifest_are_all_named(host: Served) -> None:
    folder = host.folder / "plugins" / "ten_faults"
    folder.mkdir()
    (folder / "__init__.py").write_text("", encoding="utf-8")
    manifest = {
        "id": "Ten Faults",
        "name": " ",
        "version": "1",
        "homepage": "ftp://x",
        "dependencies": [{"pluginId": "A B", "version": "latest and greatest"}, "core-ui"],
        "permissions": ["all"],
        "priority": "high",
        "enabled": "yes",
        "corehost": ">>1",
        "colour": "red",
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    def listed() -> dict[str, Any] | None:
        items = host.get("/api/plugins/manifest").json()["items"]
        return next((item for item in items if item["source"].get("path") == str(folder)), None)

    item = until(listed, "the plugin listed as an error")
    assert item["status"] == "error"
    wanted = (
        "id",
        "name",
        "version",
        "homepage",
        "pluginId",
        "permissions",
        "priority",
        "enabled",
        "corehost",
        "colour",
    )
    assert [name for name in wanted if name not in item["error"]] == []


def test_a_request_to_a_strange_host_is_refused(host: Served) -> None:
    answer = host.get("/healthz", headers={"Host": "evil.example"})

    assert 400 <= answer.status < 500


def test_an_upgrade_without_its_headers_is_refused(host: Served) -> None:
    for headers in (
        {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "12", "Sec-WebSocket-Key": "x"},
        {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "short"},
        {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"},
    ):
        assert host.get(SEND, headers=headers).status in (400, 426)


def test_the_plugins_folder_may_hold_anything(host: Served, tmp_path: Path) -> None:
    plugins = host.folder / "plugins"
    (plugins / "broken.py").write_text("def (", encoding="utf-8")
    (plugins / "latin.py").write_bytes(b"# caf\xe9\n'\xe9'\n")
    (plugins / "empty.py").write_text("", encoding="utf-8")
    (plugins / "exits.py").write_text("raise SystemExit(3)", encoding="utf-8")
    (plugins / "notes.txt").write_text("no plugin", encoding="utf-8")

    for name in ("broken", "latin", "empty", "exits"):
        until(lambda name=name: host.status(name) == "error", f"{name} listed as an error")  # type: ignore[misc]  # bound

    assert host.get("/clock").status == 200
