"""Nothing of a full host is open but what is on the reviewed list: every route, method and way in is tried."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from corehost.host import Host
from corehost.settings import Settings
from corehost.web import public
from corehost.web.relay import methods as relay_methods
from tests.serve.kit import MESSAGES, WAIT, Answer, Browser, Served, place
from tests.serve.test_people import Someone, socket_of

LOCAL, ISOLATED = "clock", "bystander"
BUILT_IN = {"core-ui", "dashboard", "analytics", "settings"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
SAMPLES = {
    "plugin_id": (LOCAL, ISOLATED, "dashboard"),
    "method": ("now", "echo"),
    "name": ("zone", "member"),
    "user_id": ("admin", "clara"),
    "version": ("1.0.0",),
    "path": ("core-ui.css",),
    "filename": ("css/bootstrap.min.css",),
}
KEY = "Sec-WebSocket-Key"
UPGRADE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", KEY: "a" * 22 + "=="}
OWN = "/api/users/eve"


@dataclass(frozen=True, kw_only=True)
class Rule:
    plugin: str | None
    path: str
    methods: frozenset[str]

    def paths(self) -> Iterator[str]:
        """Yield the rule with samples in place of what varies."""
        names = re.findall(r"<(?:[^<>]*:)?(\w+)>", self.path)
        for values in product(*(SAMPLES.get(name, ("x",)) for name in names)):
            path = self.path
            for value in values:
                path = re.sub(r"<[^<>]+>", value, path, count=1)
            yield path.rstrip("/") or "/"


def find_rules(folder: Path) -> list[Rule]:
    """Return what a host with these plugins serves, by asking one in this process."""
    settings = Settings(data_dir=folder, isolate=(ISOLATED,), scan_interval=3_600.0)
    host = Host(settings)
    try:
        host.start()
        for plugin in host.plugins.registry.all():
            assert plugin.status == "enabled", plugin.error
        return [Rule(plugin=owner, path=path, methods=methods) for owner, path, methods in host.web.rules()]
    finally:
        host.stop()


class FullHost:
    """A served host with all kinds of plugins, somebody who may nothing, and a list of what it serves."""

    def __init__(self, folder: Path) -> None:
        for name in (LOCAL, ISOLATED):
            place(folder, name)
            place(folder.with_name("asked"), name)
        self.rules = find_rules(folder.with_name("asked"))
        self.served = Served(folder, "--isolate", ISOLATED).ready()
        for name, roles in (("eve", []), ("clara", ["member"])):
            body = {"id": name, "password": "correct horse battery", "roles": roles}
            assert self.served.request("POST", "/api/users", body).status == 201
        made = self.served.request("POST", "/api/users/eve/tokens", {"name": "eve's"}).json()
        self.bearer = {"Authorization": f"Bearer {made['secret']}"}
        self.eve = Someone(self.served, "eve")
        self.cookie = {"Cookie": self.eve.cookie, "X-CSRF-Token": self.eve.csrf, "Origin": self.served.url}

    def paths(self) -> list[str]:
        found = {path for rule in self.rules for path in rule.paths()}
        return sorted({*found, "/nowhere", "/api/nowhere", "/api/plugins/nowhere", "/clock/nowhere", "/static/nowhere"})

    def ask(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        """Send a request; of a stream or a socket only the head is read."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=WAIT)) as connection:
            body = json.dumps(_body(path)) if method in ("POST", "PUT", "PATCH") else None
            kind = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, path, body, headers={**kind, **headers})
            response = connection.getresponse()
            is_endless = response.status == 101 or response.headers["Content-Type"] == "text/event-stream"
            read = b"" if is_endless else response.read()
            return Answer(status=response.status, headers=dict(response.headers), body=read)


def _body(path: str) -> dict[str, Any]:
    """Return what each resource takes, so that nothing but a permission is wanting."""
    if path.endswith("/status"):
        return {"status": "disabled"}
    if "/stores/" in path:
        return {"value": "x"}
    return {"method": "now"} if re.fullmatch(r"/api/plugins/[^/]+", path) else {}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullHost]:
    made = FullHost(tmp_path_factory.mktemp("full") / "data")
    yield made
    made.served.kill()


def is_open_to_people(path: str) -> bool:
    return any(resource.covers(path) for resource in public.OPEN)


def test_the_walk_knows_the_whole_host(full: FullHost) -> None:
    assert {rule.plugin for rule in full.rules} >= {*BUILT_IN, LOCAL, ISOLATED, None}
    paths = full.paths()
    assert {"/api/users", "/api/plugins/clock/now", "/metrics", MESSAGES, "/settings/people", "/bystander"} <= set(
        paths
    )
    assert len(paths) > 60
    for path in ("/clock", "/bystander", "/settings/people", "/api/users", "/metrics"):
        assert full.served.get(path).status == 200, path


def test_what_is_open_to_strangers_is_these_few_things() -> None:
    strangers = {resource.path for resource in public.OPEN if resource.to != "people"}
    below = {resource.path for resource in public.OPEN if resource.below}
    assert strangers == {
        "/healthz",
        "/readyz",
        "/static/corehost",
        "/bootstrap/static",
        "/signin",
        "/signin/oidc",
        "/signin/oidc/back",
    }
    assert below == {"/static/corehost", "/bootstrap/static", "/static/plugins"}
    assert not any(public.is_for_strangers(path) for path in ("/", "/docs", "/metrics", "/api/users", "/signin/x"))


def test_the_list_of_what_is_open_holds_nothing_that_is_not_served(full: FullHost) -> None:
    served = full.paths()
    later = {"/signin/oidc", "/signin/oidc/back"}  # only where a provider is set
    for resource in public.OPEN:
        assert any(resource.covers(path) for path in served) or resource.path in later, resource.path
        assert len(resource.why) > 10


@pytest.mark.parametrize("accept", ["application/json", "text/html", "text/event-stream"])
def test_a_stranger_gets_nothing_that_is_not_on_the_list(full: FullHost, accept: str) -> None:
    wrong = []
    for path, method in product(full.paths(), METHODS):
        if public.is_for_all(path) or public.is_for_strangers(path):
            continue
        answer = full.ask(method, path, {"Accept": accept})
        to_sign_in = answer.status == 303 and answer.headers["Location"].startswith("/signin")
        if not (answer.status == 401 or to_sign_in):
            wrong.append((method, path, answer.status))
    assert wrong == []


def test_a_stranger_opens_no_socket(full: FullHost) -> None:
    for headers in ({"Origin": full.served.url}, {}, {"Origin": "https://evil.example"}, {"Authorization": "Bearer x"}):
        statuses = {path: full.ask("GET", path, {**UPGRADE, **headers}).status for path in full.paths()}
        let_in = {path: status for path, status in statuses.items() if status == 101}
        assert let_in == {}
        others = {path: status for path, status in statuses.items() if status < 400 and status != 303}
        assert all(public.is_for_all(path) or public.is_for_strangers(path) for path in others), others


def own(path: str, headers: dict[str, str]) -> bool:
    return "Cookie" in headers and (path == OWN or path.startswith(f"{OWN}/"))


@pytest.mark.parametrize("proof", ["bearer", "cookie"])
def test_who_may_nothing_gets_nothing_that_is_not_on_the_list(full: FullHost, proof: str) -> None:
    headers = {"Accept": "application/json", **getattr(full, proof)}
    wrong = []
    for path, method in product(full.paths(), METHODS):
        if is_open_to_people(path) or own(path, headers):
            continue
        answer = full.ask(method, path, headers)
        tells_methods_only = method == "OPTIONS" and answer.status == 200 and not answer.body
        if answer.status not in (403, 404, 405) and not tells_methods_only:
            wrong.append((method, path, answer.status))
    assert not wrong, wrong


def test_every_page_and_method_of_a_plugin_is_refused_for_want_of_a_permission(full: FullHost) -> None:
    headers = {"Accept": "application/json", **full.bearer}
    for rule in full.rules:
        if rule.plugin is None or rule.path.startswith("/bootstrap/static"):
            continue
        for path, method in product(rule.paths(), rule.methods - {"OPTIONS"}):
            assert full.ask(method, path, headers).status == 403, (method, path)


def test_what_is_open_to_people_shows_who_may_nothing_of_no_plugin(full: FullHost) -> None:
    headers = {"Accept": "text/html, application/json", **full.bearer}
    for path in full.paths():
        if not is_open_to_people(path) or public.is_for_all(path) or path.startswith("/static"):
            continue
        answer = full.ask("GET", path, headers)
        assert not re.search(rf"\b({LOCAL}|{ISOLATED}|Dashboard|Analytics)\b", answer.text), path


def test_who_may_nothing_opens_no_socket_but_the_bus(full: FullHost) -> None:
    headers = {**UPGRADE, **full.bearer, "Sec-WebSocket-Protocol": "corehost.v1"}
    opened = [path for path in full.paths() if full.ask("GET", path, headers).status == 101]
    assert opened == [MESSAGES]


def test_who_may_nothing_streams_nothing_but_the_bus(full: FullHost) -> None:
    headers = {"Accept": "text/event-stream", **full.bearer}
    answers = {path: full.ask("GET", path, headers) for path in full.paths() if not public.is_for_all(path)}
    streams = [path for path, answer in answers.items() if answer.headers["Content-Type"] == "text/event-stream"]
    assert streams == [MESSAGES]


DENIED = -32003
Call = Callable[[Browser], Any]
CALLS: dict[str, tuple[dict[str, Any], Any]] = {
    "bus.subscribe": ({"type": "*"}, None),
    "bus.unsubscribe": ({"subscription": "s1"}, None),
    "bus.send": ({"type": "clock:said", "payload": 1}, DENIED),
    "bus.request": ({"type": "clock:ask", "payload": 1}, DENIED),
    "bus.history": ({}, []),
    "plugins.call": ({"plugin": "clock", "method": "now", "input": {}}, DENIED),
    "state.watch": ({"plugin": "clock", "store": "zone"}, DENIED),
    "state.unwatch": ({"watch": "w1"}, -32004),
    "ping": ({}, None),
}


def test_every_method_of_the_socket_is_known_here() -> None:
    source = Path(relay_methods.__file__).read_text(encoding="utf-8")
    table = source[source.index("def _table") :]
    assert set(re.findall(r'^\s+"([a-z]+(?:\.[a-z]+)?)": \(', table, re.MULTILINE)) == set(CALLS)


@pytest.mark.parametrize("proof", ["bearer", "cookie"])
def test_no_method_of_the_socket_gives_who_may_nothing_anything(full: FullHost, proof: str) -> None:
    headers = {name: value for name, value in getattr(full, proof).items() if name != "X-CSRF-Token"}
    with socket_of(full.served, **headers) as browser:
        for method, (params, expected) in CALLS.items():
            answer = browser.call(method, **params)
            if expected == []:
                assert answer["items"] == [], method
            elif expected is not None:
                assert answer["code"] == expected, method
            if method == "bus.subscribe":
                for type in ("clock:said", "core:said", "nobodys:said", "dashboard:said"):
                    body = {"type": type, "payload": "secret"}
                    full.served.request("POST", MESSAGES, body)
        for plugin, store in (("dashboard", "widgets"), ("settings", "overview"), ("core-ui", "preferences")):
            assert browser.call("state.watch", plugin=plugin, store=store)["code"] in (DENIED, -32004)
        assert browser.call("state.watch", key="any")["code"] == DENIED
        assert "secret" not in json.dumps(browser.waiting())
