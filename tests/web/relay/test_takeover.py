"""A TCP connection taken over from a real web server."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.web.relay.browser import PATH, Events, Raw, frame, handshake, rpc
from tests.web.relay.conftest import Served, until


def test_a_taken_socket_lives_on_after_its_request(served: Served) -> None:
    with served.browser() as browser:
        for _ in range(3):
            assert served.get("/page").data == b"a page"

        assert browser.call("ping")["cursor"]


def test_a_takeover_holds_up_nobody(served: Served) -> None:
    began = time.monotonic()
    with ExitStack() as held:
        for _ in range(10):
            held.enter_context(served.browser())
        assert served.get("/page").data == b"a page"

    assert time.monotonic() - began < 10  # each would cost gunicorn's main loop 2 s if the dead socket lingered


def test_what_was_sent_ahead_of_the_answer_is_heard(served: Served) -> None:
    with Raw(served.port) as raw:
        raw.send(handshake() + rpc("ping", id=7))

        assert raw.head()[0] == 101
        assert raw.json()["method"] == "session.welcome"
        assert raw.json()["id"] == 7


def test_a_frame_split_around_the_handshake_is_heard_whole(served: Served) -> None:
    request = rpc("bus.send", id=8, type="a:b", payload="x" * 20_000)
    with Raw(served.port) as raw:
        raw.send(handshake() + request[:3])
        assert raw.head()[0] == 101
        raw.send(request[3:])

        assert raw.json()["method"] == "session.welcome"
        assert raw.json()["result"]["message"]["payload"] == "x" * 20_000


def test_a_connection_that_has_served_requests_can_be_taken_over(serve: Callable[..., Served]) -> None:
    served = serve("gunicorn")  # werkzeug keeps no connection alive
    with Raw(served.port) as raw:
        raw.send(b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n")
        status, headers = raw.head()
        assert (status, raw.body(headers)) == (200, b"a page")
        raw.open()

        assert raw.json()["method"] == "session.welcome"


def test_the_subprotocol_is_agreed_and_deflate_is_not(served: Served) -> None:
    with Raw(served.port) as raw:
        raw.send(handshake(Sec_WebSocket_Protocol="corehost.v1", Sec_WebSocket_Extensions="permessage-deflate"))
        status, headers = raw.head()

    assert status == 101
    assert headers["sec-websocket-protocol"] == "corehost.v1"
    assert "sec-websocket-extensions" not in headers


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("Sec_WebSocket_Version", "12", 426),
        ("Sec_WebSocket_Version", "", 426),
        ("Sec_WebSocket_Key", "", 400),
        ("Sec_WebSocket_Key", "not base64!", 400),
        ("Sec_WebSocket_Key", base64.b64encode(b"x" * 15).decode(), 400),
        ("X_Caller", "nobody", 401),
        ("Content_Length", "5", 400),
    ],
)
def test_a_bad_handshake_is_refused_before_the_protocol_changes(
    served: Served, field: str, value: str, status: int
) -> None:
    body = b"hello" if field == "Content_Length" else b""
    with Raw(served.port) as raw:
        raw.send(handshake(**{field: value}) + body)
        answered, headers = raw.head()

    assert answered == status
    assert headers["content-type"] == "application/problem+json"
    if status == 426:
        assert headers["sec-websocket-version"] == "13"


def test_more_sockets_than_may_be_held_are_refused_with_503(serve: Callable[..., Served]) -> None:
    served = serve(sockets=2)
    with served.browser(), Events(served.port) as events, Raw(served.port) as third, Events(served.port) as fourth:
        assert events.status == 200
        third.send(handshake())
        status, headers = third.head()

        assert (status, fourth.status) == (503, 503)
        assert headers["retry-after"]
    until(lambda: served.figures()["sockets"] == 0)
    with served.browser() as browser:
        assert browser.call("ping")


def test_twenty_sockets_and_twenty_streams_leave_four_threads_to_pages(
    serve: Callable[..., Served], held: ExitStack
) -> None:
    served = serve(threads=4)
    browsers = [held.enter_context(served.browser()) for _ in range(20)]
    streams = [held.enter_context(Events(served.port, "?type=news:*")) for _ in range(20)]
    for browser in browsers:
        browser.call("bus.subscribe", type="news:*")
    until(lambda: served.figures()["sockets"] == 40)

    for _ in range(20):
        assert served.get("/page").data == b"a page"
    browsers[0].call("bus.send", type="news:one", payload=1)

    assert [browser.message()["payload"] for browser in browsers] == [1] * 20
    assert [stream.next()[1]["payload"] for stream in streams] == [1] * 20


def test_two_hundred_comings_and_goings_leave_nothing_behind(serve: Callable[..., Served]) -> None:
    served = serve()
    _come_and_go(served, 4)
    until(lambda: served.figures()["sockets"] == 0)
    before = served.figures()

    _come_and_go(served, 50)

    until(lambda: served.figures()["sockets"] == 0)
    after = served.figures()
    assert after["fds"] <= before["fds"] + 1  # this very request's connection may be another one
    assert after["threads"] <= before["threads"] + 4  # the server's own pool fills up
    assert after["feeds"] == 0


def _come_and_go(served: Served, rounds: int) -> None:
    for _ in range(rounds):
        with served.browser() as browser:  # a clean close
            browser.call("bus.subscribe", type="news:*")
        with Raw(served.port) as raw:  # an end without a close frame
            raw.open()
        with Events(served.port, "?type=news:*"):
            pass
        with Raw(served.port) as raw:
            raw.open()
            raw.send(frame(b"\x03\xe8", 8))
            assert raw.close_code() == 1000


def test_the_answer_to_head_is_a_head_alone(served: Served) -> None:
    with Raw(served.port) as raw:
        raw.send(f"HEAD {PATH} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n".encode())
        status, headers = raw.head()

        assert (status, headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
        assert raw.at_end()
