"""People of a running host: what changes for them changes at once, on every kind of connection."""

from __future__ import annotations

import http.client
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.builtin_plugins import people
from tests.serve.conftest import Serving
from tests.serve.kit import MESSAGES, WAIT, Browser, Served, until

PASSWORD = "correct horse battery"


class Someone:
    """A person in a browser, signed in by name and password."""

    def __init__(self, host: Served, name: str, password: str = PASSWORD) -> None:
        self.host = host
        self.origin = {"Origin": host.url}
        page = host.get("/signin", token=False)
        form = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
        stranger = page.headers["Set-Cookie"].partition(";")[0]
        body = f"name={name}&password={password.replace(' ', '+')}&csrf_token={form}".encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": stranger}
        answer = host.request("POST", "/signin", body=body, headers={**self.origin, **kind}, token=False)
        assert answer.status == 303, answer.text
        self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        shown = self.get("/docs", Accept="text/html").text
        self.csrf = shown.partition('name="csrf-token" content="')[2].partition('"')[0]

    def get(self, path: str, **headers: str) -> Any:
        return self.host.get(path, headers={"Cookie": self.cookie, **headers}, token=False)

    def post(self, path: str) -> Any:
        headers = {"Cookie": self.cookie, "X-CSRF-Token": self.csrf, **self.origin}
        return self.host.request("POST", path, headers=headers, token=False)

    def browser(self) -> Any:
        return self.host.browser(self.cookie)


@contextmanager
def socket_of(host: Served, **headers: str) -> Iterator[Browser]:
    with connect(
        f"ws://127.0.0.1:{host.port}{MESSAGES}",
        subprotocols=["corehost.v1"],  # type: ignore[list-item]  # a NewType of str
        additional_headers=headers,
        ping_interval=None,
        compression=None,
        proxy=None,
    ) as socket:
        yield Browser(socket)


@contextmanager
def stream_of(host: Served, **headers: str) -> Iterator[http.client.HTTPResponse]:
    with closing(http.client.HTTPConnection("127.0.0.1", host.port, timeout=WAIT)) as connection:
        connection.request("GET", MESSAGES, headers={"Accept": "text/event-stream", **headers})
        yield connection.getresponse()


def close_code(browser: Browser) -> int:
    """Return with which code the host closes the connection."""
    end = time.monotonic() + WAIT
    try:
        while time.monotonic() < end:  # a clock that ticks would go on for ever
            browser.socket.recv(WAIT)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006
    raise AssertionError("the connection was not closed")


def ended(stream: http.client.HTTPResponse) -> bool:
    """Read a stream to its end; waiting longer than the kit allows raises."""
    return stream.read() is not None


def add(host: Served, name: str, *roles: str) -> None:
    body = {"id": name, "password": PASSWORD, "roles": list(roles)}
    assert host.request("POST", "/api/users", body).status == 201


def change(host: Served, name: str, **values: Any) -> None:
    assert host.request("PATCH", f"/api/users/{name}", values).status == 200


def say(host: Served, payload: Any, type: str = "clock:said") -> None:
    assert host.request("POST", MESSAGES, {"type": type, "payload": payload}).status == 202


@pytest.fixture
def home(serving: Serving) -> Served:
    host = serving("clock", "bystander", flags=("--scan-interval", "0.1"))
    add(host, "ann", "member")
    return host


def test_whose_role_changes_hears_at_once_only_what_they_may_now(home: Served) -> None:
    ann = Someone(home, "ann")
    with ann.browser() as page, stream_of(home, Cookie=ann.cookie) as stream:
        cursor = page.call("bus.subscribe", type="*")["cursor"]
        say(home, "before")
        assert page.message("clock:said")["payload"] == "before"

        change(home, "ann", roles=[])
        say(home, "after")

        assert close_code(page) == 1012
        heard = stream.read().decode()
    assert "after" not in heard
    with ann.browser() as page:
        page.call("bus.subscribe", type="*", since=cursor)
        assert page.waiting() == []
        assert page.call("bus.history")["items"] == []
        assert page.call("plugins.call", plugin="clock", method="now", input={})["code"] == -32003

        change(home, "ann", roles=["member"])
        assert close_code(page) == 1012
    with ann.browser() as page:
        page.call("bus.subscribe", type="clock:*", since=cursor)
        assert [page.message("clock:said")["payload"] for _ in range(2)] == ["before", "after"]


def test_a_change_of_a_role_reaches_all_who_have_it(home: Served) -> None:
    ann = Someone(home, "ann")
    with ann.browser() as page, home.browser() as tool:
        body = {"permissions": ["core:read"]}
        assert home.request("PUT", "/api/roles/member", body).status == 200
        assert close_code(page) == 1012
        assert tool.call("ping") is not None


def test_who_is_disabled_is_cut_off_everywhere(home: Served) -> None:
    ann = Someone(home, "ann")
    made = home.request("POST", "/api/users/ann/tokens", {"name": "build"}).json()
    bearer = {"Authorization": f"Bearer {made['secret']}"}
    with ExitStack() as opened:
        page = opened.enter_context(ann.browser())
        stream = opened.enter_context(stream_of(home, Cookie=ann.cookie))
        program = opened.enter_context(socket_of(home, **bearer))

        change(home, "ann", disabled=True)

        assert [close_code(page), close_code(program)] == [1008, 1008]
        assert ended(stream)
    assert ann.get("/clock").status == 401 or ann.get("/clock").status == 303
    assert home.get("/api/plugins/manifest", headers=bearer, token=False).status == 401
    with pytest.raises(InvalidStatus), socket_of(home, **bearer):
        pass


def test_a_revoked_token_is_cut_off_and_no_other(home: Served) -> None:
    tokens = [home.request("POST", "/api/users/ann/tokens", {"name": name}).json() for name in ("one", "two")]
    with ExitStack() as opened:
        one, two = (opened.enter_context(socket_of(home, Authorization=f"Bearer {made['secret']}")) for made in tokens)
        assert home.request("DELETE", f"/api/tokens/{tokens[0]['token']['id']}").status == 204
        assert close_code(one) == 1008
        assert two.call("ping") is not None


def test_a_token_that_expires_is_cut_off(serving: Serving) -> None:
    home = serving(flags=("--heartbeat", "1"))
    add(home, "ann", "member")
    made = home.request("POST", "/api/users/ann/tokens", {"name": "short", "lifetime": 1}).json()
    with socket_of(home, Authorization=f"Bearer {made['secret']}") as program:
        assert close_code(program) == 1008


def test_signing_out_cuts_this_browser_off_and_no_other(home: Served) -> None:
    here, there = Someone(home, "ann"), Someone(home, "ann")
    with here.browser() as page, there.browser() as other, stream_of(home, Cookie=here.cookie) as stream:
        assert here.post("/signout").status == 303
        assert close_code(page) == 1008
        assert ended(stream)
        assert other.call("ping") is not None


def test_a_session_that_is_ended_elsewhere_is_cut_off(home: Served) -> None:
    ann = Someone(home, "ann")
    with ann.browser() as page:
        session = page.welcome["session"]
        assert home.request("DELETE", f"/api/users/ann/sessions/{session}").status == 204
        assert close_code(page) == 1008
    assert ann.get("/api/plugins/manifest").status == 401


def test_a_new_password_cuts_the_other_browsers_off(home: Served) -> None:
    ann = Someone(home, "ann")
    with ann.browser() as page:
        body = {"password": "another good password"}
        assert home.request("PUT", "/api/users/ann/password", body).status == 204
        assert close_code(page) == 1008


def test_a_page_that_shows_people_hears_of_changes_and_of_no_names(home: Served) -> None:
    ann = Someone(home, "ann")
    with ann.browser() as page:
        page.call("bus.subscribe", type="core:people:*")
        add(home, "bob")
        message = page.message("core:people:changed")
    assert message["payload"] == {"action": "user:create"}
    assert "bob" not in json.dumps(message)


def test_what_was_changed_is_in_the_audit_log(home: Served) -> None:
    change(home, "ann", roles=[])
    entries = home.get("/api/audit").json()["items"]
    told = {(entry["action"], entry["actor"], entry["subject"]) for entry in entries}
    assert {("user:create", "user:admin", "user:ann"), ("user:change-roles", "user:admin", "user:ann")} <= told
    assert PASSWORD not in json.dumps(entries)


BADGE = {"Authorization": "Badge zoe"}


def test_a_plugin_says_who_somebody_is_over_http_websocket_and_stream(serving: Serving) -> None:
    host = serving("clock", "bystander", flags=("--scan-interval", "0.1"))
    assert host.get("/clock", headers=BADGE, token=False).status in (401, 303)
    host.add("doorkeeper")

    assert host.get("/clock", headers=BADGE, token=False).status == 200
    assert host.get("/bystander", headers=BADGE, token=False).status == 403
    answer = host.request("POST", "/api/plugins/clock/now", {}, headers=BADGE, token=False)
    assert answer.status == 200
    assert (
        host.request("PUT", "/api/plugins/clock/status", {"status": "disabled"}, headers=BADGE, token=False).status
        == 403
    )
    with socket_of(host, **BADGE) as program, stream_of(host, **BADGE) as stream:
        assert program.welcome["user"] == {"id": "zoe", "roles": ["badge"]}
        program.call("bus.subscribe", type="*")
        say(host, "hidden", "bystander:said")
        say(host, "open")
        assert program.message("clock:said")["payload"] == "open"
        assert all("hidden" not in json.dumps(frame) for frame in program.waiting())
        assert program.call("plugins.call", plugin="bystander", method="echo", input={})["code"] == -32003

        assert host.switch("doorkeeper", "disabled").status == 200

        assert close_code(program) == 1012
        text = stream.read().decode()
    assert "open" in text
    assert "hidden" not in text
    assert host.get("/clock", headers=BADGE, token=False).status in (401, 303)


def test_whom_a_plugin_vouched_for_goes_with_it(serving: Serving) -> None:
    host = serving(flags=("--heartbeat", "600"))  # nobody else looks for them meanwhile
    shutil.copy(people.__file__, host.folder / "plugins")
    until(lambda: host.status("people") == "enabled", "people enabled")
    with socket_of(host, Authorization="Person zoe,core:read") as program:
        assert program.welcome["user"]["id"] == "zoe"

        assert host.switch("people", "disabled").status == 200

        assert close_code(program) == 1012


def test_a_plugin_decides_and_can_change_its_mind(home: Served) -> None:
    ann = Someone(home, "ann")
    assert ann.get("/clock", Accept="text/html").status == 200
    home.add("doorkeeper")
    with ann.browser() as page, stream_of(home, Cookie=ann.cookie) as stream:
        page.call("bus.subscribe", type="*")
        say(home, "before")
        assert page.message("clock:said")["payload"] == "before"

        home.call("doorkeeper", "close", {"permission": "plugin:clock:use"})

        assert close_code(page) == 1012
        say(home, "after")
        assert "after" not in stream.read().decode()
    assert ann.get("/clock", Accept="text/html").status == 403
    with ann.browser() as page:
        page.call("bus.subscribe", type="*")
        say(home, "later")
        told = [frame["params"]["message"]["type"] for frame in page.waiting()]
        assert not [type for type in told if type.startswith("clock:")]  # others, as analytics, may have said something
        assert page.call("bus.history", type="clock:*")["items"] == []
        assert page.call("state.watch", plugin="clock", store="zone")["code"] == -32003
        assert page.call("bus.send", type="clock:said", payload=1)["code"] == -32003
    assert home.get("/clock").status == 200


def test_a_gone_judge_takes_its_verdicts_along(home: Served) -> None:
    ann = Someone(home, "ann")
    home.add("doorkeeper")
    home.call("doorkeeper", "close", {"permission": "plugin:clock:use"})
    assert ann.get("/clock", Accept="text/html").status == 403
    assert home.switch("doorkeeper", "disabled").status == 200
    until(lambda: ann.get("/clock", Accept="text/html").status == 200, "the roles hold again")
