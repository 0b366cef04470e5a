from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from corehost import PermissionSet, UserContext
from tests.web.bench import BASE, Bench

PASSWORD = "correct horse battery"
ROOT = UserContext(id="admin", permissions=PermissionSet({"*"}))


class Person:
    """Somebody in a browser, or a program with a token."""

    def __init__(self, bench: Bench, user_id: str, *, token: str | None = None) -> None:
        self._bench = bench
        self.client = bench.client.__class__(bench.web.wsgi)
        self._headers = {"Accept": "application/json", "Origin": BASE}
        if token is not None:
            self._headers = {"Accept": "application/json", "Authorization": f"Bearer {token}"}
            return
        secret = bench.database.sessions.open_session(user_id)
        self.session = bench.database.sessions.session_id(secret)
        self.client.set_cookie("corehost-8620", secret, domain="127.0.0.1")
        page = self.client.get("/docs", base_url=BASE, headers={"Accept": "text/html"})
        self._headers["X-CSRF-Token"] = page.text.partition('name="csrf-token" content="')[2].partition('"')[0]

    def ask(self, method: str, path: str, body: Any = None) -> TestResponse:
        options = {} if body is None else {"json": body}
        return self.client.open(path, method=method, base_url=BASE, headers=self._headers, buffered=True, **options)

    def json(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(method, path, body)
        assert answer.status_code in (200, 201), answer.text
        return answer.json


@pytest.fixture
def home(bench: Bench) -> Bench:
    bench.start()
    people = bench.database.people
    people.add(ROOT, "ann", password=PASSWORD, roles=["member"])
    people.roles.put(ROOT, "clerk", permissions=["users:manage", "plugin:*:use", "core:read"])
    people.add(ROOT, "clara", roles=["clerk"])
    return bench


@pytest.fixture
def admin(home: Bench) -> Person:
    return Person(home, "admin")


@pytest.fixture
def ann(home: Bench) -> Person:
    return Person(home, "ann")


def test_an_administrator_adds_changes_and_removes_users(home: Bench, admin: Person) -> None:
    made = admin.json("POST", "/api/users", {"id": "Bob", "roles": ["member"]})
    assert (made["id"], made["roles"], made["hasPassword"], made["disabled"]) == ("bob", ["member"], False, False)
    assert admin.json("PATCH", "/api/users/bob", {"roles": [], "disabled": True})["disabled"] is True
    assert [one["id"] for one in admin.json("GET", "/api/users")["items"]] == ["admin", "ann", "bob", "clara"]
    assert admin.ask("DELETE", "/api/users/bob").status_code == 204
    assert admin.ask("GET", "/api/users/bob").status_code == 404


MANAGED: list[tuple[str, str, Any]] = [
    ("GET", "/api/users", None),
    ("POST", "/api/users", {"id": "bob"}),
    ("GET", "/api/users/admin", None),
    ("PATCH", "/api/users/ann", {"roles": ["administrator"]}),
    ("DELETE", "/api/users/clara", None),
    ("PUT", "/api/users/clara/password", {"password": PASSWORD}),
    ("POST", "/api/users/clara/link", None),
    ("POST", "/api/users/ann/link", None),
    ("GET", "/api/users/clara/sessions", None),
    ("DELETE", "/api/users/clara/sessions/x", None),
    ("GET", "/api/users/clara/tokens", None),
    ("POST", "/api/users/clara/tokens", {"name": "x"}),
    ("GET", "/api/tokens", None),
    ("DELETE", "/api/tokens/x", None),
    ("GET", "/api/roles", None),
    ("PUT", "/api/roles/x", {"permissions": []}),
    ("DELETE", "/api/roles/member", None),
]


@pytest.mark.parametrize(("method", "path", "body"), MANAGED)
def test_what_is_not_ones_own_needs_users_manage(ann: Person, method: str, path: str, body: Any) -> None:
    answer = ann.ask(method, path, body)
    assert answer.status_code == 403
    assert "users:manage" in answer.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/api/users/clara", {"roles": ["administrator"]}),
        ("POST", "/api/users", {"id": "bob", "roles": ["operator"]}),
        ("PUT", "/api/users/admin/password", {"password": PASSWORD}),
        ("POST", "/api/users/admin/link", None),
        ("POST", "/api/users/admin/tokens", {"name": "x", "permissions": []}),
        ("PUT", "/api/roles/clerk", {"permissions": ["*"]}),
        ("DELETE", "/api/roles/operator", None),
    ],
)
def test_a_manager_cannot_rise_above_themselves(home: Bench, method: str, path: str, body: Any) -> None:
    clara = Person(home, "clara")
    assert clara.ask(method, path, body).status_code == 403


def test_a_token_is_shown_once_and_does_what_it_may(home: Bench, ann: Person) -> None:
    made = ann.json("POST", "/api/users/ann/tokens", {"name": "build", "permissions": ["core:read"], "lifetime": 60})
    secret, token = made["secret"], made["token"]
    assert secret not in str(ann.json("GET", "/api/users/ann/tokens"))

    program = Person(home, "ann", token=secret)
    assert program.ask("GET", "/api/plugins/manifest").status_code == 200
    assert program.ask("GET", "/metrics").status_code == 403

    assert ann.ask("DELETE", f"/api/tokens/{token['id']}").status_code == 204
    answer = program.ask("GET", "/api/plugins/manifest")
    assert answer.status_code == 401
    assert "revoked" in answer.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/users/ann/tokens", {"name": "more"}),
        ("PUT", "/api/users/ann/password", {"password": "another good password", "current": PASSWORD}),
        ("GET", "/api/users/ann/sessions", None),
    ],
)
def test_a_stolen_token_makes_itself_no_better_ones(
    home: Bench, ann: Person, method: str, path: str, body: Any
) -> None:
    secret = ann.json("POST", "/api/users/ann/tokens", {"name": "build"})["secret"]
    assert Person(home, "ann", token=secret).ask(method, path, body).status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/api/users/admin/password", {"password": PASSWORD}),
        ("POST", "/api/users/admin/link", None),
        ("PATCH", "/api/users/admin", {"roles": ["administrator", "member"]}),
        ("POST", "/api/users/admin/tokens", {"name": "more"}),
        ("DELETE", "/api/users/admin", None),
    ],
)
def test_a_token_that_manages_people_does_not_become_its_user(
    home: Bench, admin: Person, method: str, path: str, body: Any
) -> None:
    made = admin.json("POST", "/api/users/admin/tokens", {"name": "hr", "permissions": ["users:manage"]})
    program = Person(home, "admin", token=made["secret"])
    assert program.ask("GET", "/api/users").status_code == 200
    assert program.ask(method, path, body).status_code == 403


def test_ones_own_password_is_changed_by_the_present_one(home: Bench, ann: Person) -> None:
    elsewhere = Person(home, "ann")
    new = "another good password"

    wrong = ann.ask("PUT", "/api/users/ann/password", {"password": new, "current": "wrong"})
    assert wrong.status_code == 422
    assert wrong.json is not None
    assert wrong.json["errors"][0]["path"] == "/current"

    assert ann.ask("PUT", "/api/users/ann/password", {"password": new, "current": PASSWORD}).status_code == 204
    assert ann.ask("GET", "/api/users/ann").status_code == 200
    assert elsewhere.ask("GET", "/api/users/ann").status_code == 401
    assert home.database.people.recognize("ann", new).id == "ann"


def test_guessing_the_present_password_is_slowed_down(ann: Person) -> None:
    body = {"password": "another good password", "current": "wrong"}
    statuses = [ann.ask("PUT", "/api/users/ann/password", body).status_code for _ in range(11)]
    assert statuses == [422] * 10 + [429]


def test_another_browser_is_signed_out(home: Bench, ann: Person) -> None:
    other = Person(home, "ann")
    listed = {one["id"]: one["current"] for one in ann.json("GET", "/api/users/ann/sessions")["items"]}
    assert listed == {ann.session: True, other.session: False}

    assert ann.ask("DELETE", f"/api/users/ann/sessions/{other.session}").status_code == 204

    assert other.ask("GET", "/api/users/ann").status_code == 401
    assert ann.ask("GET", "/api/users/ann").status_code == 200
    assert ann.ask("DELETE", f"/api/users/ann/sessions/{other.session}").status_code == 404


def test_a_session_of_somebody_else_is_not_ended_under_ones_own_name(home: Bench, ann: Person, admin: Person) -> None:
    assert ann.ask("DELETE", f"/api/users/ann/sessions/{admin.session}").status_code == 404
    assert admin.ask("GET", "/api/users/admin").status_code == 200


def test_a_link_is_made_for_who_can_come_in(home: Bench, admin: Person) -> None:
    made = admin.json("POST", "/api/users/ann/link")
    assert made["url"].startswith(f"{BASE}/signin?code=")
    admin.json("PATCH", "/api/users/ann", {"disabled": True})
    assert admin.ask("POST", "/api/users/ann/link").status_code == 409


@pytest.mark.parametrize(
    ("method", "path", "body", "where"),
    [
        ("POST", "/api/users", {}, ""),
        ("POST", "/api/users", {"id": 5}, "/id"),
        ("POST", "/api/users", {"id": "bob", "admin": True}, ""),
        ("POST", "/api/users", {"id": "bob", "password": "short"}, "/password"),
        ("POST", "/api/users", {"id": "bob", "roles": ["nope"]}, "/roles"),
        ("PATCH", "/api/users/ann", {"disabled": "yes"}, "/disabled"),
        ("PUT", "/api/roles/Bad Name", {"permissions": []}, "/name"),
        ("PUT", "/api/roles/x", {"permissions": ["a b"]}, "/permissions/a b"),
        ("POST", "/api/users/ann/tokens", {"name": ""}, "/name"),
        ("POST", "/api/users/ann/tokens", {"name": "x", "lifetime": -1}, "/lifetime"),
    ],
)
def test_bad_input_is_named(admin: Person, method: str, path: str, body: Any, where: str) -> None:
    answer = admin.ask(method, path, body)
    assert answer.status_code == 422, answer.text
    assert answer.json is not None
    assert where in [fault["path"] for fault in answer.json["errors"]]


def test_a_change_from_another_site_is_refused(ann: Person) -> None:
    answer = ann.client.post("/api/users/ann/tokens", base_url=BASE, json={"name": "x"}, headers={"Origin": BASE})
    assert answer.status_code == 403
    assert "CSRF" in answer.text


def test_whom_a_plugin_vouches_for_has_no_account_here(home: Bench) -> None:
    home.write(
        "proxy",
        "@hookimpl\ndef corehost_authenticate(headers):\n"
        "    name = headers.get('x-user')\n"
        "    return UserContext(id=name, permissions=PermissionSet({'core:read'})) if name else None\n",
    )
    home.plugins.lifecycle.rescan()
    home.plugins.lifecycle.enable("proxy")
    headers = {"X-User": "ann", "Accept": "application/json", "Origin": BASE}

    page = home.client.get("/account", base_url=BASE, headers={**headers, "Accept": "text/html"})
    assert "not kept here" in page.text
    assert home.client.get("/api/users/ann/tokens", base_url=BASE, headers=headers).status_code == 403


def test_what_is_served_of_people_is_described(home: Bench, admin: Person) -> None:
    described = {
        (path, method)
        for path, item in admin.json("GET", "/api/openapi.json")["paths"].items()
        for method in item
        if method != "parameters"
    }
    for _, path, methods in home.web.rules():
        if not path.startswith(("/api/users", "/api/roles", "/api/tokens")):
            continue
        for name, word in (("user_id", "id"), ("session_id", "session"), ("token_id", "token"), ("name", "name")):
            path = path.replace(f"<{name}>", f"{{{word}}}")  # noqa: PLW2901  # brought into OpenAPI's spelling
        for method in methods - {"HEAD", "OPTIONS"}:
            assert (path, method.lower()) in described
