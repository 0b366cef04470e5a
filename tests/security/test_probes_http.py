"""What strangers and other sites try on a running host, in the manner of known advisories: none of it succeeds."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.serve.kit import Served

SECRET = "the-secret-beside-the-static-files"
PLUGIN = """
from corehost import *

zone = writable("UTC")

@hookimpl
def corehost_manifest():
    return Manifest(id="prey", name="Prey", version="1.0.0", description="",
                    permissions=("routes:register", "api:expose", "plugins:communicate"))

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={"echo": Method(handler=lambda input, context: input)})

@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/prey", routes=(Route(path="/", view=lambda: "<p>prey</p>"),))

@hookimpl
def corehost_stores():
    return StoresSpec(writable={"zone": zone})

@hookimpl
def corehost_messages():
    return MessagesSpec(schemas={"said": MessageSchema(type="prey:said", payload={"type": "object"})})
"""
BUILTIN = ("core-ui", "dashboard", "analytics", "settings", "prey")
STEPS = (
    "../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "..\\\\", "....//", "..;/", "%252e%252e%252f", "..%c0%af",
    "..%ef%bc%8f", ".%2e/", "//", "%00../",
)  # fmt: skip
PRIVATE = ("/", "/prey", "/prey/", "/settings/plugins", "/api/plugins/manifest", "/api/audit", "/metrics", "/docs")
CONFUSED = (
    "/signin/../api/plugins/manifest", "/signin/%2e%2e/api/plugins/manifest", "/healthz/..%2fapi/plugins/manifest",
    "/static/corehost/../../api/plugins/manifest", "/static/corehost/..;/api/plugins/manifest",
    "//api/plugins/manifest",
    "/api//plugins/manifest", "/API/plugins/manifest", "/api/plugins/manifest/.", "/api/plugins/manifest%00.css",
    "/api/plugins/manifest;.css", "/api/plugins/manifest?x=/static/corehost/", "/./api/plugins/manifest",
    "/readyz/%2e./api/plugins/manifest", "/api/plugins/prey%2fgrants",
    "/bootstrap/static/..%2f..%2fapi/plugins/manifest",
)  # fmt: skip
FORGED: tuple[dict[str, str], ...] = (
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-Host": "127.0.0.1"},
    {"X-Forwarded-Proto": "https"},
    {"X-Real-IP": "127.0.0.1"},
    {"Forwarded": "for=127.0.0.1;proto=https"},
    {"X-Forwarded-User": "admin"},
    {"X-Remote-User": "admin"},
    {"Remote-User": "admin"},
    {"X-WEBAUTH-USER": "admin"},
    {"SCRIPT_NAME": "/signin"},
    {"PATH_INFO": "/signin"},
    {"SCRIPT-NAME": "/signin"},
    {"X-Original-URL": "/signin"},
    {"X-Rewrite-URL": "/signin"},
    {"X-HTTP-Method-Override": "GET"},
    {"Authorization": "Bearer "},
    {"Authorization": "Bearer null"},
    {"Authorization": "Basic YWRtaW46YWRtaW4="},
    {"Cookie": "corehost=admin"},
    {"Cookie": "__Host-corehost=admin"},
)
HOSTS = (
    "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1@evil.example", "0.0.0.0", "[::]",
    "127.0.0.1:1", "2130706433", "0x7f000001", "127.1", "", "evil.example#127.0.0.1", "169.254.169.254",
)  # fmt: skip
ORIGINS = (
    "https://evil.example", "null", "http://localhost.evil.example", "http://127.0.0.1", "http://127.0.0.1:1",
    "https://127.0.0.1", "file://", "http://127.0.0.1.evil.example", "chrome-extension://x", "",
)  # fmt: skip
TARGETS = (
    "https://evil.example", "//evil.example", "/\\\\evil.example", "\\\\\\\\evil.example", "/%2fevil.example",
    "/%5cevil.example", "https:evil.example", "javascript:alert(1)", "/\\t/evil.example", "%09//evil.example",
    "///evil.example", "/../..//evil.example", "http:/evil.example", "@evil.example",
)  # fmt: skip
BOMBS: tuple[tuple[str, bytes], ...] = (
    ("deep arrays", b"[" * 100_000 + b"]" * 100_000),
    ("deep objects", b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    ("a huge number", b'{"type":"prey:said","payload":{"a":' + b"9" * 100_000 + b"}}"),
    ("a huge exponent", b'{"type":"prey:said","payload":{"a":1e999999999}}'),
    ("not a number", b'{"type":"prey:said","payload":{"a":NaN}}'),
    ("two keys of one name", b'{"type":"core:x","type":"prey:said","payload":[]}'),
    ("no UTF-8", b'{"type":"prey:said\xff","payload":{}}'),
    ("half a surrogate", b'{"type":"\\ud800","payload":{}}'),
    ("too large", b'{"type":"prey:said","payload":{"a":"' + b"x" * 2_000_000 + b'"}}'),
    ("wildcards", b'{"type":"' + b"*a" * 5_000 + b'","payload":{}}'),
)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("probed") / "data"
    package = folder / "plugins" / "prey"
    (package / "static").mkdir(parents=True)
    (package / "__init__.py").write_text(f"{PLUGIN}\nSECRET = {SECRET!r}\n")
    (package / "static" / "open.txt").write_text("open")
    served = Served(folder)
    yield served.ready()
    served.kill()


@pytest.fixture(autouse=True)
def alive(host: Served) -> Iterator[None]:
    yield
    assert host.get("/healthz", token=False).status == 200


def raw(host: Served, target: str, method: str = "GET", headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Send *target* as it is: no library may make it well-behaved before it gets to the host."""
    sent = {"Host": f"127.0.0.1:{host.port}", "Connection": "close", **(headers or {})}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
    with socket.create_connection(("127.0.0.1", host.port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1"))
        response = http.client.HTTPResponse(connection, method=method)
        try:
            response.begin()
        except http.client.HTTPException:  # hung up on without a word, or with none of HTTP's
            return 400, ""
        body = b"" if response.status == 101 else response.read()
        head = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
        return response.status, f"{head}\r\n{body.decode('latin-1')}"


def bearer(host: Served) -> dict[str, str]:
    return {"Authorization": f"Bearer {host.token}"}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("plugin", BUILTIN)
def test_no_encoding_leads_out_of_a_plugins_static_files(host: Served, plugin: str, step: str) -> None:
    # CVE-2021-43798, for each plugin and each way to write two dots.
    for depth in (1, 4, 12):
        for file in ("__init__.py", "etc/passwd", "secret.key", "host.json"):
            target = f"/static/plugins/{plugin}/1.0.0/{step * depth}{file}"
            status, answer = raw(host, target, headers=bearer(host))
            assert status in (400, 404, 308, 301), target
            assert SECRET not in answer
            assert "root:" not in answer
            assert host.token not in answer


@pytest.mark.parametrize("path", PRIVATE)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get"])
def test_nothing_is_open_to_strangers_by_any_method(host: Served, path: str, method: str) -> None:
    status, answer = raw(host, path, method)

    assert status in (400, 401, 405, 303), answer[:200]
    assert "<p>prey</p>" not in answer
    assert '"items"' not in answer


@pytest.mark.parametrize("path", CONFUSED)
def test_no_spelling_of_a_path_gets_around_the_sign_in(host: Served, path: str) -> None:
    # CVE-2023-27482: what is checked must be what is routed.
    status, answer = raw(host, path)

    assert status >= 300
    assert '"items"' not in answer
    assert "dashboard" not in answer


@pytest.mark.parametrize("headers", FORGED, ids=str)
def test_no_header_makes_a_stranger_somebody(host: Served, headers: dict[str, str]) -> None:
    # CVE-2024-32977: what a client says of itself.
    status, answer = raw(host, "/api/plugins/manifest", headers=headers)

    assert status in (400, 401, 403)
    assert '"items"' not in answer


@pytest.mark.parametrize("name", HOSTS)
def test_a_name_that_is_not_ours_is_refused(host: Served, name: str) -> None:
    # DNS rebinding, CVE-2024-28224: a foreign name leads to this address.
    status, answer = raw(host, "/api/plugins/manifest", headers={**bearer(host), "Host": name})

    assert status == 400
    assert '"items"' not in answer


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_foreign_page_opens_no_socket(host: Served, origin: str) -> None:
    # CVE-2019-13611, CVE-2024-23898, CVE-2025-24010: the browser sends the cookie along.
    cookie = session_cookie(host)
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": "corehost.v1",
        "Cookie": cookie,
        "Origin": origin,
    }
    status, _ = raw(host, "/api/plugins/messages", headers=headers)

    assert status in (400, 403)


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_foreign_page_changes_and_reads_nothing(host: Served, origin: str) -> None:
    cookie = session_cookie(host)
    for method, path in (("POST", "/api/plugins/prey/echo"), ("GET", "/api/plugins/manifest"), ("POST", "/signout")):
        headers = {"Cookie": cookie, "Origin": origin, "Content-Length": "0"}
        status, answer = raw(host, path, method, headers)
        assert status in (400, 403), (method, path)
        assert "Access-Control-Allow-Origin" not in answer


def test_a_socket_without_a_sign_in_is_refused(host: Served) -> None:
    # CVE-2024-28179: an Upgrade that nobody authenticated.
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for more in ({}, {"Origin": host.url}, {"Authorization": "Bearer wrong"}):
        assert raw(host, "/api/plugins/messages", headers={**headers, **more})[0] in (401, 403)


@pytest.mark.parametrize("target", TARGETS)
def test_a_sign_in_never_leads_to_another_site(host: Served, target: str) -> None:
    # CVE-2025-4123.
    code = str(host.request("POST", "/signin", body=f"code=wrong&next={target}".encode()).text)
    assert "evil.example" not in re.sub(r'value="[^"]*"', "", code)
    status, answer = raw(host, f"/signin?code=x&next={target.replace(' ', '%20')}")
    location = re.search(r"(?im)^location: *(\S+)", answer)

    assert status in (200, 400, 303)
    assert location is None or not re.match(r"(?i)[a-z]+:|//|/\\", location[1])
    assert not re.search(r'(?i)(href|action)="(https?:)?//evil', answer)


@pytest.mark.parametrize(("name", "body"), BOMBS, ids=[name for name, _ in BOMBS])
def test_a_body_that_is_a_bomb_is_refused(host: Served, name: str, body: bytes) -> None:
    for path in ("/api/plugins/messages", "/api/plugins/prey/echo"):
        answer = host.request("POST", path, body=body, headers={"Content-Type": "application/json"})
        assert answer.status in (200, 202, 400, 403, 413, 422), (name, answer.text[:200])
        assert "Traceback" not in answer.text


@pytest.mark.parametrize("pattern", ["*" * 2_000, "*a" * 500, "(a+)+$", "%", "[", "\\", "prey:*" * 100])
def test_no_pattern_holds_the_host_up(host: Served, pattern: str) -> None:
    with host.browser() as browser:
        answer = browser.call("bus.subscribe", type=pattern)
        assert "subscription" in answer or "code" in answer


@pytest.mark.parametrize("forged", ["source", "id", "seq", "timestamp", "cause", "user", "session"])
def test_no_message_says_of_itself_where_it_comes_from(host: Served, forged: str) -> None:
    answer = host.request("POST", "/api/plugins/messages", {"type": "prey:said", "payload": {}, forged: "core"})

    assert answer.status in (202, 422)
    if answer.status == 202:
        assert answer.json().get("source") == "user:admin"
        assert answer.json().get(forged) != "core"


@pytest.mark.parametrize("kind", ["core:plugin:enabled", "core:", "core:config:changed"])
def test_nobody_speaks_for_the_host(host: Served, kind: str) -> None:
    assert host.request("POST", "/api/plugins/messages", {"type": kind, "payload": {}}).status in (403, 422)


@pytest.mark.parametrize(
    "text", ["{{7*7}}", "{% include '/etc/passwd' %}", "${7*7}", "<script>alert(1)</script>", "%s%n"]
)
def test_no_text_of_a_stranger_becomes_code_in_a_page(host: Served, text: str) -> None:
    from urllib.parse import quote  # noqa: PLC0415  # beside its only use

    for path in (f"/prey/{quote(text)}", f"/{quote(text, safe='')}", f"/signin?code={quote(text)}"):
        answer = host.get(path, headers={"Accept": "text/html"})
        assert "49" not in answer.text or "7*7" in answer.text
        assert "<script>alert(1)" not in answer.text
        assert "root:" not in answer.text


@pytest.mark.parametrize("text", ["\r\nSet-Cookie: a=b", "%0d%0aSet-Cookie:%20a=b", "%0aevent=forged", "%1b[2J"])
def test_no_text_of_a_stranger_becomes_a_header_or_a_line_of_the_log(host: Served, text: str) -> None:
    before = len(host.log)
    status, answer = raw(host, f"/nowhere{text}", headers=bearer(host))

    assert status >= 300
    assert not re.search(r"(?im)^set-cookie: a=b", answer)
    for line in host.log[before:]:
        assert "\x1b" not in line
        assert not line.startswith("event=forged")


@pytest.mark.parametrize("path", ["/", "/prey", "/signin", "/api/plugins/manifest", "/nowhere", "/docs"])
def test_every_answer_keeps_the_browser_strict(host: Served, path: str) -> None:
    headers = {key.lower(): value for key, value in host.get(path).headers.items()}

    policy = headers["content-security-policy"]
    assert "'unsafe-inline'" not in policy
    assert "'unsafe-eval'" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'self'" in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "server" not in headers or "corehost" not in headers["server"].lower()


@pytest.mark.parametrize("body", [b"", b"0\r\n\r\nGET /api/audit HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_no_request_hides_in_another(host: Served, body: bytes) -> None:
    head = (
        f"POST /signin HTTP/1.1\r\nHost: 127.0.0.1:{host.port}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n"
    )
    with socket.create_connection(("127.0.0.1", host.port), timeout=30) as connection:
        connection.sendall(head.encode() + b"\r\n" + body + b"0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    assert answer.count(b"HTTP/1.") <= 2
    assert b'"items"' not in answer


def session_cookie(host: Served) -> str:
    """Return a session's cookie, as a browser holds it; the printed link is good once, and its session is kept."""
    kept: Any = getattr(host, "probe_cookie", None)
    if kept is None:
        code = host.link.partition("code=")[2]
        connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=30)
        connection.request(
            "POST", "/signin", f"code={code}", {"Content-Type": "application/x-www-form-urlencoded", "Origin": host.url}
        )
        answer = connection.getresponse()
        answer.read()
        kept = str(answer.headers["Set-Cookie"]).partition(";")[0]
        assert "HttpOnly" in str(answer.headers["Set-Cookie"])
        assert "SameSite=Lax" in str(answer.headers["Set-Cookie"])
        connection.close()
        host.probe_cookie = kept  # type: ignore[attr-defined]  # beside what it belongs to
    return str(kept)


def test_the_session_that_the_probes_use_is_good(host: Served) -> None:
    """Else each of them would be refused for the wrong reason."""
    status, answer = raw(host, "/api/plugins/manifest", headers={"Cookie": session_cookie(host), "Origin": host.url})

    assert status == 200
    assert json.loads(answer.partition("\r\n\r\n")[2])["items"]


def test_the_static_files_that_the_probes_begin_at_are_served(host: Served) -> None:
    """Else each of them would be refused for the wrong reason, too."""
    assert host.get("/static/plugins/prey/1.0.0/open.txt").text == "open"
