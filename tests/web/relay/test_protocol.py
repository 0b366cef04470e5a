"""JSON-RPC 2.0 over a browser's WebSocket."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from corehost.contract.errors import BusyError, PluginFaultError
from corehost.contract.message import Message
from corehost.web.relay.backend import Identity, Topic
from tests.web.relay.browser import Browser, Raw, RpcFailureError, frame, rpc
from tests.web.relay.conftest import LocalHost, until
from tests.web.relay.memory_backend import MemoryBackend


class HeldUp(MemoryBackend):
    """Takes no message before it *goes on*."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()

    def send(
        self, identity: Identity, type: str, payload: Any, target: str | None, meta: Mapping[str, Any] | None
    ) -> Message:
        assert self.goes_on.wait(60)
        return super().send(identity, type, payload, target, meta)


def is_read(browser: Browser) -> bool:
    """Ping, and tell whether an answer comes soon."""
    number = browser.post("ping")
    try:
        return bool(json.loads(browser.socket.recv(0.3))["id"] == number)
    except TimeoutError:
        return False


def _ask(raw: Raw, text: str) -> dict[str, Any]:
    raw.send(frame(text.encode()))
    return raw.json()


@pytest.fixture
def raw(host: LocalHost) -> Any:
    with host.raw() as raw:
        raw.open()
        assert raw.json()["method"] == "session.welcome"
        yield raw


def test_the_host_welcomes_first(host: LocalHost) -> None:
    host.backend.publish("a:b")
    with host.raw() as raw:
        raw.open("alice/s1")
        welcome = raw.json()

    assert welcome == {
        "jsonrpc": "2.0",
        "method": "session.welcome",
        "params": {
            "session": "s1",
            "user": {"id": "alice", "roles": []},
            "cursor": f"{host.backend.epoch}.1",
            "heartbeat": 20_000,
        },
    }


@pytest.mark.parametrize(
    ("text", "code", "id"),
    [
        ("{", -32700, None),
        ("", -32700, None),
        ('{"jsonrpc":"2.0","id":1,"method":"ping","x":NaN}', -32700, None),
        ("[" * 60_000, -32700, None),
        ('{"a":' * 12_000, -32700, None),
        ("[]", -32600, None),
        ('[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, None),
        ("3", -32600, None),
        ('{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600, 1),
        ('{"jsonrpc":"2.0","id":[],"method":"ping"}', -32600, None),
        ('{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600, None),
        ('{"jsonrpc":"2.0","id":1,"method":7}', -32600, 1),
        ('{"jsonrpc":"2.0","id":1,"method":"ping","more":1}', -32600, 1),
        ('{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', -32602, 1),
        ('{"jsonrpc":"2.0","id":"x","method":"bus.nothing"}', -32601, "x"),
        ('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":1}}', -32602, 1),
    ],
)
def test_what_is_no_request_is_answered_with_its_code(raw: Raw, text: str, code: int, id: Any) -> None:
    answer = _ask(raw, text)

    assert (answer["error"]["code"], answer["id"]) == (code, id)
    assert _ask(raw, '{"jsonrpc":"2.0","id":9,"method":"ping"}')["id"] == 9


def test_who_sends_a_batch_is_told_how_to_send_it(raw: Raw) -> None:
    answer = _ask(raw, '[{"jsonrpc":"2.0","id":1,"method":"ping"}]')

    assert answer["error"]["message"] == "Batches are not taken. Send each request in a frame of its own."


def test_brackets_inside_of_strings_nest_nothing(raw: Raw) -> None:
    text = json.dumps(
        {"jsonrpc": "2.0", "id": 1, "method": "bus.send", "params": {"type": "a:b", "payload": '["{' * 99}}
    )

    assert _ask(raw, text)["result"]["message"]["payload"] == '["{' * 99


def test_every_fault_of_the_parameters_is_named_at_once(raw: Raw) -> None:
    wrong = {"type": "a b", "limit": -1, "since": "", "unknown": 1}
    text = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "bus.history", "params": wrong})

    error = _ask(raw, text)["error"]

    assert error["code"] == -32602
    assert {fault["path"] for fault in error["data"]["errors"]} == {"/type", "/limit", "/since", "/unknown"}


def test_a_notification_gets_no_answer_not_even_an_error(raw: Raw) -> None:
    raw.send(rpc("no.such.method", id=None))
    raw.send(rpc("bus.send", id=None))
    raw.send(rpc("ping", id=3))

    assert raw.json()["id"] == 3


def test_an_id_of_null_is_a_request(raw: Raw) -> None:
    assert _ask(raw, '{"jsonrpc":"2.0","id":null,"method":"ping"}')["id"] is None


def test_a_sent_message_is_answered_as_the_bus_has_it(host: LocalHost) -> None:
    with host.browser("alice/s1") as browser:
        message = browser.call("bus.send", type="a:b", payload=[1, None], target="user:bob")["message"]

    assert (message["source"], message["payload"], message["target"]) == ("user:alice", [1, None], "user:bob")


def test_the_messages_of_one_client_keep_their_order(host: LocalHost) -> None:
    with host.browser() as browser:
        numbers = [browser.post("bus.send", type="a:b", payload=n) for n in range(200)]
        for number in numbers:
            browser.answer(number)
        items = browser.call("bus.history", type="a:b", limit=200)["items"]

    assert [item["payload"] for item in items] == list(range(200))


def test_requests_and_calls_answer_beside_each_other(host: LocalHost) -> None:
    release = threading.Event()
    host.backend.methods["slow", "wait"] = lambda _: release.wait(10)
    host.backend.requests["quick:ask"] = lambda payload: {"heard": payload}
    with host.browser() as browser:
        slow = browser.post("plugins.call", plugin="slow", method="wait")

        assert browser.call("bus.request", type="quick:ask", payload=1) == {"response": {"heard": 1}}
        release.set()
        assert browser.answer(slow) == {"result": True}


def test_the_seventeenth_unanswered_call_is_refused(host: LocalHost) -> None:
    release = threading.Event()
    host.backend.methods["slow", "wait"] = lambda _: release.wait(10)
    with host.browser() as browser, host.browser() as other:
        waiting = [browser.post("plugins.call", plugin="slow", method="wait") for _ in range(16)]
        with pytest.raises(RpcFailureError) as refused:
            browser.call("plugins.call", plugin="slow", method="wait")
        others = other.post("plugins.call", plugin="slow", method="wait")

        assert refused.value.code == -32005
        assert browser.call("ping")
        release.set()
        assert [browser.answer(number)["result"] for number in waiting] == [True] * 16
        assert other.answer(others)["result"]


@pytest.mark.parametrize(
    ("error", "code"),
    [(PluginFaultError("It raised."), -32006), (BusyError("Busy."), -32005), (ValueError("secret"), -32603)],
)
def test_a_failed_call_is_answered_with_its_code(host: LocalHost, error: Exception, code: int) -> None:
    def fail(input: Any) -> Any:
        raise error

    host.backend.methods["clock", "now"] = fail
    with host.browser() as browser, pytest.raises(RpcFailureError) as failure:
        browser.call("plugins.call", plugin="clock", method="now")

    assert failure.value.code == code
    assert "secret" not in str(failure.value)


def test_an_answer_that_is_no_json_is_an_internal_error(host: LocalHost) -> None:
    host.backend.methods["clock", "now"] = lambda _: object()
    with host.browser() as browser, pytest.raises(RpcFailureError) as failure:
        browser.call("plugins.call", plugin="clock", method="now")

    assert failure.value.code == -32603


def test_history_pages_forward_from_a_cursor(host: LocalHost) -> None:
    for number in range(5):
        host.backend.publish("a:b", number)
    with host.browser() as browser:
        start = f"{host.backend.epoch}.1"
        first = browser.call("bus.history", type="a:*", limit=2, since=start)
        rest = browser.call("bus.history", type="a:*", limit=9, since=first["cursor"])
        newest = browser.call("bus.history", limit=2)

    assert [item["payload"] for item in first["items"]] == [1, 2]
    assert [item["payload"] for item in rest["items"]] == [3, 4]
    assert [item["payload"] for item in newest["items"]] == [3, 4]


def test_more_than_the_rate_is_refused_for_the_session_and_free_for_a_token(
    make_host: Callable[..., LocalHost],
) -> None:
    host = make_host(session_rate=5.0)
    with (
        host.browser("alice/s1") as one,
        host.browser("alice/s1") as two,
        host.browser("bob/s2") as other,
        host.browser("admin") as tool,
    ):
        for _ in range(5):
            one.call("ping")
            two.call("ping")
        numbers = [one.post("ping") for _ in range(3)]
        with pytest.raises(RpcFailureError) as refused:
            one.answer(numbers[-1])

        assert refused.value.code == -32005
        assert other.call("ping")
        assert [tool.call("ping") for _ in range(30)]


def test_a_sender_faster_than_the_bus_waits_in_its_socket(make_host: Callable[..., LocalHost]) -> None:
    host = make_host(sends=4)
    with host.browser() as browser:
        numbers = [browser.post("bus.send", type="a:b", payload=n) for n in range(500)]

        assert [browser.answer(number)["message"]["payload"] for number in numbers] == list(range(500))


def test_a_sender_whose_messages_are_not_taken_is_not_read_on(make_host: Callable[..., LocalHost]) -> None:
    backend = HeldUp()
    host = make_host(backend, sends=4)
    with host.browser() as browser:
        numbers = [browser.post("bus.send", type="a:b", payload=n) for n in range(4)]

        assert not all(is_read(browser) for _ in range(20)), "what had come with the messages is answered, and no more"
        backend.goes_on.set()
        assert [browser.answer(number)["message"]["payload"] for number in numbers] == list(range(4))
        assert browser.call("ping") is not None


def test_a_watch_gives_the_value_and_then_its_changes(host: LocalHost) -> None:
    topic = Topic(plugin="clock", store="zone")
    host.backend.set(topic, "UTC")
    with host.browser() as browser, host.browser() as other:
        watch = browser.call("state.watch", plugin="clock", store="zone")
        other.call("state.watch", plugin="clock", store="zone")
        host.backend.set(topic, "CET")

        assert (watch["value"], watch["version"]) == ("UTC", 1)
        change = {"plugin": "clock", "store": "zone", "value": "CET", "version": 2}
        assert browser.next("state.changed") == other.next("state.changed") == change
        assert host.backend.followers(topic) == 1
        browser.call("state.unwatch", watch=watch["watch"])
        host.backend.set(topic, "EST")
        assert other.next("state.changed")["value"] == "EST"
        assert browser.nothing_more()
    until(lambda: host.backend.followers(topic) == 0)


def test_a_watch_goes_on_when_the_plugin_begins_its_versions_anew(host: LocalHost) -> None:
    topic = Topic(key="theme")
    host.backend.set(topic, "light", 9)
    with host.browser() as browser:
        browser.call("state.watch", key="theme")
        host.backend.set(topic, "dark", 1)

        assert browser.next("state.changed") == {"key": "theme", "value": "dark", "version": 1}


def test_what_cannot_be_watched_is_refused(host: LocalHost) -> None:
    with host.browser() as browser:
        for params, code in (({"key": "none"}, -32004), ({"plugin": "clock"}, -32602), ({}, -32602)):
            with pytest.raises(RpcFailureError) as refused:
                browser.call("state.watch", **params)
            assert refused.value.code == code
        with pytest.raises(RpcFailureError) as unknown:
            browser.call("state.unwatch", watch="w1")
        assert unknown.value.code == -32004


@pytest.mark.parametrize(
    ("limit", "method", "params"),
    [("subscriptions", "bus.subscribe", {"type": "a:*"}), ("watches", "state.watch", {"key": "theme"})],
)
def test_a_connection_holds_at_most_so_many(
    make_host: Callable[..., LocalHost], limit: str, method: str, params: dict[str, Any]
) -> None:
    host = make_host(**{limit: 3})
    host.backend.set(Topic(key="theme"), "dark")
    with host.browser() as browser, host.browser() as other:
        for _ in range(3):
            browser.call(method, **params)

        with pytest.raises(RpcFailureError) as refused:
            browser.call(method, **params)

        assert refused.value.code == -32005
        assert other.call(method, **params)


def test_a_session_is_told_where_to_go(host: LocalHost) -> None:
    with host.browser("alice/s1") as one, host.browser("alice/s1") as two, host.browser("alice/s2") as other:
        assert host.relay.notify("s1", "ui.navigate", {"path": "/clock"})
        assert not host.relay.notify("nobody", "ui.navigate", {"path": "/clock"})

        assert one.next("ui.navigate") == two.next("ui.navigate") == {"path": "/clock"}
        assert other.nothing_more()
        assert host.relay.presence("session:s1")
        assert host.relay.presence("user:alice")
        assert not host.relay.presence("session:s3")
    until(lambda: not host.relay.presence("user:alice"))
