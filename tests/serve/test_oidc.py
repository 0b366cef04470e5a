"""Signing in with an OpenID provider, against one that this test runs."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import secrets
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.serve.conftest import Serving
from tests.serve.kit import WAIT, Answer, Served

CLIENT, SECRET = "corehost-test", "a-secret-of-this-client"


class Provider:
    """An OpenID provider on loopback. ``claims`` are of whoever signs in; the other members make it lie."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
        self.claims: dict[str, Any] = {"sub": "4711", "preferred_username": "Ann Lee", "groups": ["staff"]}
        self.token_claims: dict[str, Any] = {}
        self.signing_key = self.key
        self.algorithm = "RS256"
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.get(self)

            def do_POST(self) -> None:
                provider.post(self)

            def log_message(self, format: str, *args: Any) -> None:
                provider.asked.append(format % args)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    def get(self, request: BaseHTTPRequestHandler) -> None:
        path, query = urlsplit(request.path).path, dict(parse_qs(urlsplit(request.path).query))
        if path == "/.well-known/openid-configuration":
            ways = {"authorization_endpoint": "auth", "token_endpoint": "token", "jwks_uri": "keys"}
            _send(request, {"issuer": self.issuer, **{name: f"{self.issuer}/{way}" for name, way in ways.items()}})
        elif path == "/keys":
            _send(request, {"keys": [self.key.as_dict(private=False)]})
        elif path == "/auth":
            asked = {name: values[0] for name, values in query.items()}
            code = secrets.token_hex(8)
            self._codes[code] = asked
            request.send_response(302)
            request.send_header(
                "Location", f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
            )
            request.end_headers()
        else:
            _send(request, {}, 404)

    def post(self, request: BaseHTTPRequestHandler) -> None:
        form = parse_qs(request.rfile.read(int(request.headers["Content-Length"])).decode())
        asked = self._codes.pop(form["code"][0], None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        is_right = (
            asked is not None
            and request.headers["Authorization"] == f"Basic {basic}"
            and asked["code_challenge"] == challenge
            and asked["code_challenge_method"] == "S256"
            and form["redirect_uri"][0] == asked["redirect_uri"]
        )
        if not is_right or asked is None:
            _send(request, {"error": "invalid_grant"}, 400)
            return
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            **self.claims,
        }
        claims = {name: value for name, value in {**claims, **self.token_claims}.items() if value is not None}
        header = {"alg": self.algorithm, "kid": "one"}
        token = jwt.encode(header, claims, self.signing_key, algorithms=[self.algorithm])
        _send(request, {"access_token": "x", "token_type": "Bearer", "id_token": token})

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(WAIT)


def _send(request: BaseHTTPRequestHandler, value: Any, status: int = 200) -> None:
    body = json.dumps(value).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


class Visitor:
    """A browser that keeps cookies and is led from the host to the provider and back."""

    def __init__(self, host: Served) -> None:
        self.host = host
        self.cookies: dict[str, str] = {}

    def get(self, path: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.host.port, timeout=WAIT)
        kept = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            connection.request("GET", path, headers={"Cookie": kept, "Accept": "text/html"})
            response = connection.getresponse()
            for line in response.headers.get_all("Set-Cookie") or ():
                name, _, value = line.partition(";")[0].partition("=")
                self.cookies[name] = value
            return Answer(status=response.status, headers=dict(response.headers), body=response.read())
        finally:
            connection.close()

    def to_provider(self, path: str = "/signin/oidc?next=/docs") -> str:
        """Begin, and return the address to which the provider sends people back."""
        answer = self.get(path)
        assert answer.status == 303, answer.text
        where = urlsplit(answer.headers["Location"])
        connection = http.client.HTTPConnection(where.netloc, timeout=WAIT)
        connection.request("GET", f"{where.path}?{where.query}")
        response = connection.getresponse()
        response.read()
        connection.close()
        back = urlsplit(response.headers["Location"])
        return f"{back.path}?{back.query}"

    def sign_in(self) -> Answer:
        return self.get(self.to_provider())

    def is_in(self) -> bool:
        return self.get("/docs").status == 200


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


@pytest.fixture
def host(serving: Serving, provider: Provider) -> Served:
    provider_flags = ("--oidc-issuer", provider.issuer, "--oidc-client-id", CLIENT)
    role_flags = ("--oidc-role", "staff=member", "--oidc-role", "bosses=administrator")
    return serving("clock", flags=(*provider_flags, *role_flags), COREHOST_OIDC_CLIENT_SECRET=SECRET)


def account(host: Served, name: str) -> Any:
    return host.get(f"/api/users/{name}").json()


def test_the_provider_signs_people_in_and_gives_their_roles(host: Served, provider: Provider) -> None:
    visitor = Visitor(host)
    assert "/signin/oidc" in visitor.get("/signin").text

    answer = visitor.sign_in()

    assert (answer.status, answer.headers["Location"]) == (303, "/docs")
    assert visitor.is_in()
    assert account(host, "ann-lee")["roles"] == ["member"]
    assert visitor.get("/clock").status == 200

    provider.claims = {**provider.claims, "preferred_username": "Another Name", "groups": "bosses"}
    again = Visitor(host)
    assert again.sign_in().status == 303
    assert account(host, "ann-lee")["roles"] == ["administrator"]
    assert len(host.get("/api/users").json()["items"]) == 2


def test_who_has_no_role_here_stays_out(host: Served, provider: Provider) -> None:
    provider.claims = {"sub": "1", "preferred_username": "zoe", "groups": ["guests"]}
    visitor = Visitor(host)
    answer = visitor.sign_in()
    assert answer.status == 403
    assert "no role" in answer.text
    assert not visitor.is_in()
    assert len(host.get("/api/users").json()["items"]) == 1


def test_the_name_of_an_account_that_is_here_already_is_not_taken_over(host: Served, provider: Provider) -> None:
    provider.claims = {"sub": "1", "preferred_username": "admin", "groups": ["staff"]}
    visitor = Visitor(host)
    answer = visitor.sign_in()
    assert answer.status == 409
    assert not visitor.is_in()
    assert account(host, "admin")["roles"] == ["administrator"]


def test_who_is_disabled_here_stays_out(host: Served) -> None:
    assert Visitor(host).sign_in().status == 303
    host.request("PATCH", "/api/users/ann-lee", {"disabled": True})
    visitor = Visitor(host)
    assert visitor.sign_in().status == 403
    assert not visitor.is_in()


LIES: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "x"},
    "no nonce": {"nonce": None},
    "another client's": {"aud": "someone-else"},
    "issued to another": {"aud": [CLIENT, "other"], "azp": "other"},
    "another provider's": {"iss": "https://evil.example"},
    "expired": {"exp": int(time.time()) - 3_600},
    "without an end": {"exp": None},
    "nobody's": {"sub": None},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_token_is_not_believed_that_is(host: Served, provider: Provider, lie: str) -> None:
    provider.token_claims = LIES[lie]
    visitor = Visitor(host)
    assert visitor.sign_in().status == 403
    assert not visitor.is_in()


def test_a_token_signed_by_another_key_is_not_believed(host: Served, provider: Provider) -> None:
    provider.signing_key = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
    assert Visitor(host).sign_in().status == 403


def test_a_key_that_the_provider_has_changed_is_read_anew(host: Served, provider: Provider) -> None:
    assert Visitor(host).sign_in().status == 303
    provider.key = provider.signing_key = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
    assert Visitor(host).sign_in().status == 303


def test_an_answer_is_good_for_the_browser_that_began_and_once(host: Served) -> None:
    began, other = Visitor(host), Visitor(host)
    back = began.to_provider()
    assert other.get(back).status == 403  # a victim's browser that is led here
    other.to_provider()
    assert other.get(back).status == 403  # and one that has begun itself
    assert not other.is_in()

    assert began.get(back).status == 303
    assert began.get(back).status == 403


def test_a_state_that_was_made_up_signs_nobody_in(host: Served) -> None:
    visitor = Visitor(host)
    back = visitor.to_provider()
    code = parse_qs(urlsplit(back).query)["code"][0]
    for state in ("", "x", "ü"):
        assert visitor.get(f"/signin/oidc/back?{urlencode({'code': code, 'state': state})}").status == 403
    assert not visitor.is_in()


def test_the_sign_in_leads_nowhere_else(host: Served) -> None:
    visitor = Visitor(host)
    back = visitor.to_provider("/signin/oidc?next=//evil.example")
    assert visitor.get(back).headers["Location"] == "/"


def test_a_provider_that_is_away_is_told_of_and_the_rest_goes_on(host: Served, provider: Provider) -> None:
    provider.server.shutdown()
    provider.server.server_close()
    answer = Visitor(host).get("/signin/oidc")
    assert answer.status == 504
    assert "does not answer" in answer.text
    assert Visitor(host).get("/signin").status == 200
