"""The Python client of a running host."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from corehost.client import HostClient
from corehost.contract.errors import (
    InvalidError,
    MethodNotFoundError,
    NotFoundError,
    PluginFaultError,
    UnauthenticatedError,
    UnreachableError,
)
from corehost.host import Host, plugin_options
from corehost.settings import Settings

TOKEN = "an-administrators-token"

PLUGIN = '''
"""Lamp: a light that can be switched."""
from corehost import ApiSpec, Manifest, Method, hookimpl

@hookimpl
def corehost_manifest():
    return Manifest(id="lamp", name="Lamp", version="1.0.0", description="A light.", permissions=("api:expose",))

def switch(input, context):
    return {"light": input["to"]}

def fail(input, context):
    raise ValueError("blown")

@hookimpl
def corehost_api():
    wanted = {"type": "object", "required": ["to"]}
    return ApiSpec(version="1.0.0", methods={"switch": Method(handler=switch, input_schema=wanted),
                                             "fail": Method(handler=fail)})
'''


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None: ...


class Running:
    """A host with its plugins, served by werkzeug on a port of its own."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        (folder / "plugins").mkdir(parents=True, exist_ok=True)
        (folder / "plugins" / "lamp.py").write_text(PLUGIN, encoding="utf-8")
        self._server = make_server("127.0.0.1", port, self._serve, threaded=True, request_handler=_Quiet)
        self.port = self._server.server_port
        settings = Settings(data_dir=folder, token=TOKEN, port=self.port)
        options = plugin_options(settings)
        self.host = Host(settings, options=options)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.host.start()

    def close(self) -> None:
        self.host.stop()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self.host.wsgi(environ, start_response)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    with ExitStack() as closers:

        def start(port: int = 0) -> Running:
            running = Running(tmp_path / "data", port)
            closers.callback(running.close)
            return running

        yield start


@pytest.fixture
def client(run: Callable[..., Running]) -> Iterator[HostClient]:
    with HostClient(f"http://127.0.0.1:{run().port}", TOKEN) as client:
        yield client


def test_plugins_are_listed_shown_and_switched(client: HostClient) -> None:
    assert "lamp" in {item["id"] for item in client.plugins()}
    assert client.plugin("lamp")["status"] == "enabled"

    assert client.set_status("lamp", "disabled", dry_run=True)
    assert client.plugin("lamp")["status"] == "enabled"
    assert client.set_status("lamp", "disabled") == {"id": "lamp", "status": "disabled"}
    assert client.plugin("lamp")["status"] == "disabled"


def test_a_method_is_called_and_what_it_refuses_is_raised(client: HostClient) -> None:
    assert client.call("lamp", "switch", {"to": "on"}) == {"light": "on"}
    with pytest.raises(InvalidError) as invalid:
        client.call("lamp", "switch", {})
    with pytest.raises(MethodNotFoundError):
        client.call("lamp", "none")
    with pytest.raises(NotFoundError):
        client.call("nobody", "switch")
    with pytest.raises(PluginFaultError):
        client.call("lamp", "fail")

    assert len(invalid.value.faults) == 1


def test_a_path_where_an_id_belongs_is_told_as_such(client: HostClient) -> None:
    with pytest.raises(InvalidError, match="'/tmp/lamp' is no plugin's id, but looks like a path"):
        client.upgrade("/tmp/lamp")


def test_messages_are_sent_and_found_in_the_history(client: HostClient) -> None:
    sent = client.send("lamp:tick", {"n": 1}, meta={"m": 1})
    page = client.history("lamp:*", limit=5)

    assert (sent["source"].startswith("user:"), sent["meta"]) == (True, {"m": 1})
    assert [item["id"] for item in page["items"]] == [sent["id"]]
    assert client.history("lamp:*", since=page["cursor"])["items"] == []


def test_following_brings_what_came_after_a_cursor_and_then_what_comes(client: HostClient) -> None:
    start = client.history("lamp:*")["cursor"]
    for number in range(3):
        client.send("lamp:tick", number)
    followed = client.follow("lamp:*", since=start)

    assert [next(followed)["payload"] for _ in range(3)] == [0, 1, 2]
    client.send("lamp:tick", 3)
    assert next(followed)["payload"] == 3
    followed.close()  # type: ignore[attr-defined]  # it is a generator


def test_following_goes_on_when_the_line_was_lost(run: Callable[..., Running]) -> None:
    running = run()
    with HostClient(f"http://127.0.0.1:{running.port}", TOKEN) as client:
        followed = client.follow("lamp:*", since=client.history()["cursor"])
        client.send("lamp:tick", 0)
        assert next(followed)["payload"] == 0
        for identity in running.host.relay.clients():
            running.host.relay.disconnect(user=identity.user.id)
        client.send("lamp:tick", 1)

        assert next(followed)["payload"] == 1
        followed.close()  # type: ignore[attr-defined]  # it is a generator


def test_a_wrong_token_and_a_silent_address_are_told_apart(run: Callable[..., Running]) -> None:
    running = run()
    with HostClient(f"http://127.0.0.1:{running.port}", "wrong") as client:
        with pytest.raises(UnauthenticatedError):
            client.plugins()
        with pytest.raises(UnauthenticatedError):
            next(client.follow())
    running.close()
    with HostClient(f"http://127.0.0.1:{running.port}", TOKEN) as client:
        with pytest.raises(UnreachableError):
            client.plugins()
        with pytest.raises(UnreachableError):
            next(client.follow())
