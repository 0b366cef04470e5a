from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from werkzeug.test import Client, TestResponse

from corehost import UserContext
from corehost.contract.errors import CorehostError
from corehost.contract.permissions import PermissionSet
from corehost.messaging.trail import current_trail
from corehost.state.database import HostDatabase
from corehost.web.auth import ADMINISTRATOR, Authenticator, SessionCookie
from corehost.web.caller import caller_of
from corehost.web.csrf import Csrf
from corehost.web.gate import REFUSAL, Gate
from corehost.web.origins import EdgeAddress, Origins
from corehost.web.problems import problem_of

TOKEN = "t" * 32
OWN = "http://127.0.0.1:8620"
ADDRESS = EdgeAddress(host="127.0.0.1", port=8620, public_url="https://host.example")
FORM = "application/x-www-form-urlencoded"


class Edge:
    """A gate with an app behind it that tells what it was asked."""

    def __init__(self, database: HostDatabase) -> None:
        self.seen: list[dict[str, Any]] = []
        self.refused: list[CorehostError] = []
        self.sessions = database.sessions
        self.csrf = Csrf(b"k" * 32)
        self.by_header: UserContext | None = None
        origins = Origins(ADDRESS)
        self.cookie = SessionCookie(ADDRESS, origins)
        gate = Gate(
            inside=self._inside,
            refusals=self._refuse,
            origins=origins,
            authenticator=Authenticator(
                people=database.people,
                sessions=self.sessions,
                cookie=self.cookie,
                token=TOKEN,
                authenticate=self._authenticate,
            ),
            csrf=self.csrf,
        )
        self.client = Client(gate)

    def sign_in(self, base: str = OWN) -> None:
        secret = self.sessions.open_session(ADMINISTRATOR.id)
        name = "__Host-corehost" if base.startswith("https") else "corehost-8620"
        self.client.set_cookie(name, secret, domain=urlsplit(base).hostname or "", secure=base.startswith("https"))

    def ask(self, path: str = "/clock", method: str = "GET", base: str = OWN, **options: Any) -> TestResponse:
        return self.client.open(path, method=method, base_url=base, **options)

    def token(self) -> str:
        self.ask()
        caller = self.seen[-1]["caller"]
        assert caller is not None
        return self.csrf.token(caller)

    def _authenticate(self, headers: Mapping[str, str]) -> tuple[str, UserContext] | None:
        return ("proxy", self.by_header) if self.by_header and headers.get("x-proxy-user") else None

    def _inside(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        self.seen.append(
            {
                "path": environ["PATH_INFO"],
                "caller": caller_of(environ),
                "trail": current_trail(),
                "body": environ["wsgi.input"].read(),
            }
        )
        start("200 OK", [("Content-Type", "text/html"), ("X-Frame-Options", "ALLOWALL"), ("Referrer-Policy", "x")])
        return [b"ok"]

    def _refuse(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        error = environ[REFUSAL]
        self.refused.append(error)
        start(f"{problem_of(error).status} Refused", [])
        return [b"no"]


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    database = HostDatabase(tmp_path)
    yield Edge(database)
    database.close()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/clock",
        "/api/plugins/manifest",
        "/metrics",
        "/docs",
        "/signout",
        "/static/plugins/clock/1.0.0/x.js",
        "/xyz",
    ],
)
def test_nothing_is_open_unless_it_is_listed(edge: Edge, path: str) -> None:
    assert edge.ask(path).status_code == 401
    assert edge.seen == []


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/signin", "/signin?code=x", "/static/corehost/corehost.css", "/bootstrap/static/x"]
)
def test_what_is_listed_is_open(edge: Edge, path: str) -> None:
    assert edge.ask(path).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/SIGNIN",
        "/signin;/x",
        "/signin/x",
        "/healthz/../clock",
        "/static/corehost/..;/clock",
        "/static/corehost/%2e%2e/%2e%2e/clock",
        "/static/corehost/..%2f..%2fclock",
        "/static/corehostile",
        "/static%2fcorehost/x",
    ],
)
def test_no_spelling_of_a_path_gets_around_the_sign_in(edge: Edge, path: str) -> None:
    assert edge.ask(path).status_code in (400, 401)
    assert edge.seen == []


def test_the_path_that_was_checked_is_the_path_that_is_routed(edge: Edge) -> None:
    edge.ask("/healthz//")
    edge.ask(environ_overrides={"PATH_INFO": "//signin/", "RAW_URI": "//signin/"})

    assert [seen["path"] for seen in edge.seen] == ["/healthz", "/signin"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:9999", ""])
def test_a_foreign_host_name_is_refused_even_on_open_paths(edge: Edge, host: str) -> None:
    assert edge.ask("/healthz", headers={"Host": host}).status_code == 400


def test_liveness_is_told_without_asking_who_asks(edge: Edge) -> None:
    edge.sign_in()

    for headers in ({}, {"Authorization": "Bearer wrong"}):
        assert edge.ask("/healthz", headers=headers).status_code == 200
    assert [seen["caller"] for seen in edge.seen] == [None, None]


def test_a_session_cookie_names_the_administrator(edge: Edge) -> None:
    edge.sign_in()

    assert edge.ask().status_code == 200
    caller, trail = edge.seen[0]["caller"], edge.seen[0]["trail"]
    assert caller.user == ADMINISTRATOR
    assert caller.via == "cookie"
    assert trail.user == ADMINISTRATOR
    assert trail.session == caller.session
    assert caller.session is not None


def test_a_trail_ends_with_its_request(edge: Edge) -> None:
    edge.sign_in()
    edge.ask()

    assert current_trail().user is None


def test_under_https_only_the_host_cookie_counts(edge: Edge) -> None:
    edge.sign_in()
    assert edge.ask(base="https://host.example").status_code == 401

    edge.sign_in("https://host.example")
    assert edge.ask(base="https://host.example").status_code == 200


def test_an_ended_session_is_nobody(edge: Edge) -> None:
    secret = edge.sessions.open_session(ADMINISTRATOR.id)
    edge.client.set_cookie("corehost-8620", secret, domain="127.0.0.1")
    assert edge.ask().status_code == 200

    edge.sessions.end_session(secret)

    assert edge.ask().status_code == 401


def test_a_bearer_token_needs_neither_origin_nor_csrf_token(edge: Edge) -> None:
    answer = edge.ask("/api/x", "POST", data=b"{}", headers={"Authorization": f"bearer {TOKEN}"})

    assert answer.status_code == 200
    assert edge.seen[0]["caller"].via == "token"


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "t", TOKEN[:-1], "\u00e9"])
def test_a_wrong_token_is_refused_although_the_cookie_is_right(edge: Edge, token: str) -> None:
    edge.sign_in()

    assert edge.ask(headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "WHATEVER"])
def test_a_change_by_cookie_needs_our_origin_and_the_csrf_token(edge: Edge, method: str) -> None:
    edge.sign_in()
    token = edge.token()
    both = {"Origin": OWN, "X-CSRF-Token": token}

    def status(**changes: str | None) -> int:
        headers = {key: value for key, value in {**both, **changes}.items() if value is not None}
        return edge.ask("/api/x", method, headers=headers).status_code

    assert status() == 200
    assert status(**{"X-CSRF-Token": None}) == 403
    assert status(**{"X-CSRF-Token": token[:-1]}) == 403
    assert status(**{"X-CSRF-Token": "\u00e9"}) == 403
    assert status(Origin=None) == 403
    assert status(Origin="null") == 403
    assert status(Origin="https://evil.example") == 403
    assert status(Origin="http://127.0.0.1:3000") == 403


def test_the_csrf_token_of_another_session_is_wrong(edge: Edge) -> None:
    edge.sign_in()
    stolen = edge.token()
    edge.sign_in()

    assert edge.ask("/x", "POST", headers={"Origin": OWN, "X-CSRF-Token": stolen}).status_code == 403


def test_a_forms_field_carries_the_token_and_the_app_still_gets_the_form(edge: Edge) -> None:
    edge.sign_in()
    body = f"a=1&csrf_token={edge.token()}&b=2".encode()

    answer = edge.ask("/x", "POST", data=body, content_type=FORM, headers={"Origin": OWN})

    assert answer.status_code == 200
    assert edge.seen[-1]["body"] == body


def test_an_upload_carries_the_token_too(edge: Edge) -> None:
    edge.sign_in()
    data = {"csrf_token": edge.token(), "file": (io.BytesIO(b"x" * 400_000), "x.bin")}

    answer = edge.ask("/x", "POST", data=data, headers={"Origin": OWN})

    assert answer.status_code == 200
    assert len(edge.seen[-1]["body"]) > 400_000


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"csrf_token=wrong", FORM), (b"\xff\xfe", FORM), (b"no multipart", "multipart/form-data; boundary=x")],
)
def test_a_form_without_the_right_token_is_refused(edge: Edge, body: bytes, kind: str) -> None:
    edge.sign_in()

    assert edge.ask("/x", "POST", data=body, content_type=kind, headers={"Origin": OWN}).status_code in (400, 403)


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_even_a_read_by_cookie_from_a_foreign_page_is_refused(edge: Edge, headers: dict[str, str]) -> None:
    edge.sign_in()

    assert edge.ask("/api/plugins/messages", headers=headers).status_code == 403


def test_signing_in_from_a_foreign_page_is_refused(edge: Edge) -> None:
    assert edge.ask("/signin", "POST", headers={"Origin": "https://evil.example"}).status_code == 403
    assert edge.ask("/signin", "POST", headers={"Origin": OWN}).status_code == 200
    assert edge.ask("/signin", "POST").status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": OWN}, 200),
        ({}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "https://evil.example", "Authorization": f"Bearer {TOKEN}"}, 403),
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
    ],
)
def test_every_upgrade_is_checked_for_its_origin(edge: Edge, headers: dict[str, str], status: int) -> None:
    edge.sign_in()

    answer = edge.ask("/api/plugins/messages", headers={"Upgrade": "websocket", "Connection": "Upgrade", **headers})

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [
        ("/api/x", "1000000", 200),
        ("/api/x", "1000001", 413),
        ("/clock", "1000001", 200),
        ("/clock", "10000001", 413),
        ("/clock", "9" * 5_000, 413),
        ("/clock", "-1", 400),
        ("/clock", "1_0", 400),
    ],
)
def test_a_body_that_is_too_large_is_refused_before_it_is_read(edge: Edge, path: str, length: str, status: int) -> None:
    answer = edge.ask(
        path, "POST", headers={"Authorization": f"Bearer {TOKEN}"}, environ_overrides={"CONTENT_LENGTH": length}
    )

    assert answer.status_code == status


def test_a_form_without_a_length_is_read_to_the_limit_only(edge: Edge) -> None:
    edge.sign_in()
    body = b"a=" + b"x" * 1_100_000
    chunked = {"wsgi.input_terminated": True, "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}

    answer = edge.ask(
        "/api/x", "POST", data=body, content_type=FORM, headers={"Origin": OWN}, environ_overrides=chunked
    )

    assert answer.status_code == 413


def test_every_response_is_hardened_whatever_the_app_says(edge: Edge) -> None:
    for answer in (edge.ask("/healthz"), edge.ask("/clock")):
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers.getlist("X-Frame-Options") == ["DENY"]
        assert answer.headers.getlist("Referrer-Policy") == ["same-origin"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_plugin_may_say_who_sends_a_request(edge: Edge) -> None:
    edge.by_header = UserContext(id="ann", permissions=PermissionSet({"plugin:clock:use"}))

    assert edge.ask(headers={"X-Proxy-User": "ann"}).status_code == 200
    assert edge.seen[0]["caller"].user.id == "ann"


def test_who_is_named_by_what_browsers_send_by_themselves_needs_the_csrf_token(edge: Edge) -> None:
    edge.by_header = UserContext(id="ann", permissions=PermissionSet())
    edge.ask(headers={"X-Proxy-User": "ann"})
    token = edge.csrf.token(edge.seen[0]["caller"])
    headers = {"X-Proxy-User": "ann", "Origin": OWN}

    assert edge.ask("/x", "POST", headers=headers).status_code == 403
    assert edge.ask("/x", "POST", headers={**headers, "X-CSRF-Token": token}).status_code == 200


@pytest.mark.parametrize("method", ["get", "G ET", "<script>"])
def test_a_method_that_is_none_is_refused(edge: Edge, method: str) -> None:
    answer = edge.ask("/healthz", environ_overrides={"REQUEST_METHOD": method})

    assert answer.status_code == 400
