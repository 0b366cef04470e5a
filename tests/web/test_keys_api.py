"""Keys are trusted and forgotten over HTTP, by those who may."""

from __future__ import annotations

import pytest

from corehost.plugins.signing.keys import PublicKey
from tests.web.bench import Bench

KEY = PublicKey(b"\x01\xff" * 16)
STRANGER = """
@hookimpl
def corehost_authenticate(headers):
    name = headers.get("x-who")
    return UserContext(id=name, permissions=PermissionSet({"plugin:*", "plugins:install"})) if name else None
"""


@pytest.fixture
def host(bench: Bench) -> Bench:
    bench.write("clock", STRANGER)
    return bench.start()


@pytest.mark.parametrize("which", [KEY.id, str(KEY), "Ann"])
def test_a_key_is_trusted_listed_and_forgotten(host: Bench, which: str) -> None:
    made = host.ask("POST", "/api/keys", json={"key": str(KEY), "name": "Ann"})

    assert (made.status_code, made.headers["Location"]) == (201, f"/api/keys/{KEY.id}")
    (item,) = host.get("/api/keys").get_json()["items"]
    assert (item["id"], item["key"], item["name"], item["by"]) == (KEY.id, str(KEY), "Ann", "user:admin")
    assert host.ask("DELETE", f"/api/keys/{which}").status_code == 204
    assert host.get("/api/keys").get_json() == {"items": []}
    assert host.ask("DELETE", f"/api/keys/{which}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"key": str(KEY)},
        {"key": 1, "name": "Ann"},
        {"key": "ed25519:x", "name": "Ann"},
        {"key": str(KEY), "name": ""},
        {"key": str(KEY), "name": "Ann", "more": 1},
        {"key": f"{KEY}\n", "name": "\x1b[2J"},
    ],
)
def test_what_is_no_key_or_name_is_refused(host: Bench, body: dict[str, object]) -> None:
    answer = host.ask("POST", "/api/keys", json=body)

    assert answer.status_code == 422, answer.text
    assert host.get("/api/keys").get_json() == {"items": []}


def test_who_may_install_may_not_decide_whom_to_trust(host: Bench) -> None:
    for method, path in (("GET", "/api/keys"), ("POST", "/api/keys"), ("DELETE", f"/api/keys/{KEY.id}")):
        body = {"json": {"key": str(KEY), "name": "Ann"}} if method == "POST" else {}
        answer = host.ask(method, path, headers={"Authorization": "Basic x", "X-Who": "eve"}, **body)

        assert answer.status_code == 403, answer.text
        assert "keys:write" in answer.text
