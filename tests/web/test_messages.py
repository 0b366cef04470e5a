"""The resource /api/plugins/messages over plain HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from corehost.web.messages import PATH
from corehost.web.relay.limits import RelayLimits
from tests.web.relay.memory_backend import MemoryBackend
from tests.web.relay.memory_host import MemoryHost


@pytest.fixture
def backend() -> MemoryBackend:
    return MemoryBackend(epoch="e")


@pytest.fixture
def client(backend: MemoryBackend) -> Any:
    host = MemoryHost(backend, RelayLimits())
    host.app.wsgi_app = _as_alice(host.app.wsgi_app)  # type: ignore[method-assign]  # Flask's way to wrap an app
    return host.app.test_client()


def _as_alice(inside: Any) -> Any:
    from corehost.web.caller import set_caller  # noqa: PLC0415
    from tests.web.relay.memory_host import caller_named  # noqa: PLC0415

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        set_caller(environ, caller_named(environ.get("HTTP_X_CALLER", "alice/s1")))
        return inside(environ, start_response)

    return app


def test_a_posted_message_is_accepted_as_the_bus_has_it(client: Any, backend: MemoryBackend) -> None:
    response = client.post(PATH, json={"type": "a:b", "payload": {"x": 1}, "target": "clock", "meta": {"m": 1}})

    assert response.status_code == 202
    assert response.json["source"] == "user:alice"
    assert backend.position() == 1


@pytest.mark.parametrize(
    ("body", "status", "paths"),
    [
        (b"{", 400, []),
        (b"\xff", 400, []),
        (b"", 400, []),
        (b"[1]", 400, []),
        (b"[" * 100_000, 400, []),
        (b'{"payload": 1}', 422, ["/type"]),
        (b'{"type": "a b", "meta": [], "more": 1}', 422, ["/meta", "/more", "/type"]),
    ],
)
def test_a_wrong_body_is_refused_with_every_fault(client: Any, body: bytes, status: int, paths: list[str]) -> None:
    response = client.post(PATH, data=body)

    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert sorted(fault["path"] for fault in json.loads(response.data).get("errors", [])) == paths


def test_history_is_the_newest_oldest_first_with_the_cursor_to_go_on_from(client: Any, backend: MemoryBackend) -> None:
    for number in range(1, 5):
        backend.publish("a:b", number)
    backend.publish("c:d")

    newest = client.get(f"{PATH}?type=a:*&limit=2").json
    after = client.get(f"{PATH}?since=e.1&limit=2").json

    assert ([item["payload"] for item in newest["items"]], newest["cursor"]) == ([3, 4], "e.5")
    assert ([item["payload"] for item in after["items"]], after["cursor"]) == ([2, 3], "e.3")


def test_history_after_a_cursor_of_another_run_names_the_gap(client: Any, backend: MemoryBackend) -> None:
    backend.publish("a:b")

    page = client.get(f"{PATH}?since=before.4").json

    assert (page["gap"], len(page["items"])) == ({"from": "before.4", "to": "e.0"}, 1)


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=1001", "limit=x", "limit=99999999999", "type=a%20b"])
def test_a_wrong_query_is_refused(client: Any, query: str) -> None:
    response = client.get(f"{PATH}?{query}")

    assert (response.status_code, response.mimetype) == (422, "application/problem+json")


def test_a_malformed_cursor_is_bad_input_for_pages_and_streams(client: Any) -> None:
    page = client.get(f"{PATH}?since=nonsense")
    stream = client.get(f"{PATH}?since=nonsense", headers={"Accept": "text/event-stream"})
    resumed = client.get(PATH, headers={"Accept": "text/event-stream", "Last-Event-ID": "nonsense"})

    assert (page.status_code, stream.status_code, resumed.status_code) == (400, 400, 400)


def test_nobody_known_gets_nothing(client: Any) -> None:
    for response in (
        client.get(PATH, headers={"X-Caller": "nobody"}),
        client.post(PATH, json={"type": "a:b"}, headers={"X-Caller": "nobody"}),
        client.get(PATH, headers={"X-Caller": "nobody", "Accept": "text/event-stream"}),
    ):
        assert response.status_code == 401


def test_a_server_without_sockets_says_that_it_cannot_stream(client: Any) -> None:
    response = client.get(PATH, headers={"Accept": "text/event-stream"})

    assert (response.status_code, response.mimetype) == (501, "application/problem+json")
