"""Browsers that are held open cost no thread."""

from __future__ import annotations

from contextlib import ExitStack, closing

import pytest
from websockets.exceptions import ConnectionClosed

from tests.serve.conftest import Serving
from tests.serve.kit import EventStream, until

EACH = 20


def test_twenty_websockets_and_twenty_streams_are_held_on_four_threads_while_pages_are_served(serving: Serving) -> None:
    host = serving("bystander", flags=("--threads", "4"))
    with ExitStack() as opened:
        browsers = [opened.enter_context(host.browser()) for _ in range(EACH)]
        streams = [opened.enter_context(closing(EventStream(host, "work:*"))) for _ in range(EACH)]
        for browser in browsers:
            browser.call("bus.subscribe", type="work:*")

        for _ in range(20):
            assert host.get("/bystander").status == 200
        assert host.request("POST", "/api/plugins/messages", {"type": "work:hello", "payload": 1}).status == 202

        assert [browser.message("work:hello")["payload"] for browser in browsers] == [1] * EACH
        assert [stream.next()["payload"] for stream in streams] == [1] * EACH
        assert all(browser.call("ping") is not None for browser in browsers)
    until(lambda: host.get("/healthz").status == 200, "healthy")
    assert host.tracebacks() == []


def test_a_client_that_comes_back_has_missed_nothing(serving: Serving) -> None:
    host = serving()
    with host.browser() as browser:
        cursor = browser.call("bus.subscribe", type="work:*")["cursor"]
    for number in range(10):
        host.request("POST", "/api/plugins/messages", {"type": "work:done", "payload": number})

    with host.browser() as browser:
        browser.call("bus.subscribe", type="work:*", since=cursor)

        assert [browser.message("work:done")["payload"] for _ in range(10)] == list(range(10))


def test_a_client_of_another_run_is_told_of_the_gap(serving: Serving) -> None:
    first = serving()
    with first.browser() as browser:
        cursor = browser.call("bus.subscribe", type="work:*")["cursor"]
    first.stop()

    second = serving(folder=first.folder)
    with second.browser() as browser:
        browser.call("bus.subscribe", type="work:*", since=cursor)

        assert browser.next("bus.gap")["from"] == cursor


def test_signing_out_ends_the_sockets_of_that_browser_and_no_others(serving: Serving) -> None:
    host = serving()
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": host.url}
    code = host.link.partition("code=")[2]
    entered = host.request("POST", "/signin", body=f"code={code}".encode(), token=False, headers=form)
    cookie = entered.headers["Set-Cookie"].partition(";")[0]
    page = host.get("/docs", token=False, headers={"Cookie": cookie}).text
    csrf = page.partition('name="csrf-token" content="')[2].partition('"')[0]

    with host.browser() as tool, host.browser(cookie) as tab, host.browser(cookie) as other_tab:
        left = host.request(
            "POST", "/signout", body=f"csrf_token={csrf}".encode(), token=False, headers={**form, "Cookie": cookie}
        )

        assert left.status == 303
        for closed in (tab, other_tab):
            with pytest.raises(ConnectionClosed) as end:
                closed.next("nothing more")
            assert end.value.rcvd is not None
            assert end.value.rcvd.code == 1008
        assert tool.call("ping") is not None
