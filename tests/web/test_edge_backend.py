"""The host as the relay sees it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from corehost.contract.errors import (
    DisabledError,
    MalformedError,
    MethodNotFoundError,
    NoHandlerError,
    NotFoundError,
    PermissionDeniedError,
)
from corehost.contract.message import Message
from corehost.contract.permissions import PermissionSet
from corehost.contract.user import UserContext
from corehost.testing import HostFactory, MemoryHost
from corehost.web.caller import Caller
from corehost.web.edge_backend import EdgeBackend
from corehost.web.relay.backend import Identity, Topic

PLUGIN = '''
"""Lamp: a light that can be switched."""
from corehost import (ApiSpec, Handler, Manifest, MessagesSpec, Method, StoresSpec, hookimpl, writable)

light = writable("off")

@hookimpl
def corehost_manifest():
    return Manifest(id="lamp", name="Lamp", version="1.0.0", description="A light.",
                    permissions=("api:expose", "plugins:communicate", "user:read"))

def switch(input, context):
    light.set(input)
    return {"light": light.get(), "user": context.user.id}

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={"switch": Method(handler=switch)})

@hookimpl
def corehost_messages():
    return MessagesSpec(handlers={"ask": Handler(handle=lambda message: {"light": light.get(), "by": message.source})})

@hookimpl
def corehost_stores():
    return StoresSpec(writable={"light": light})
'''


@pytest.fixture
def host(corehost_host: HostFactory, tmp_path: Path) -> MemoryHost:
    (tmp_path / "lamp.py").write_text(PLUGIN, encoding="utf-8")
    return corehost_host(tmp_path / "lamp.py")


@pytest.fixture
def backend(host: MemoryHost) -> EdgeBackend:
    return EdgeBackend(bus=host.bus, plugins=host.host.plugins)


def _identity(backend: EdgeBackend, *permissions: str, via: Any = "cookie") -> Identity:
    user = UserContext(id="alice", permissions=PermissionSet(permissions))
    return backend.identify(Caller(user=user, session="s1" if via == "cookie" else None, via=via))


def test_an_administrators_token_is_a_tool_and_a_browser_is_not(backend: EdgeBackend) -> None:
    assert _identity(backend, "*", via="token").tool
    assert not _identity(backend, "*").tool
    assert not _identity(backend, "plugin:lamp:use", via="token").tool


def test_equal_permissions_see_alike(backend: EdgeBackend) -> None:
    assert _identity(backend, "a", "b").view == _identity(backend, "b", "a").view
    assert _identity(backend, "a").view != _identity(backend, "b").view


def test_a_user_sees_and_sends_only_what_they_may_use(backend: EdgeBackend) -> None:
    guest, user = _identity(backend), _identity(backend, "plugin:lamp:use")

    assert not backend.may_see(guest, "lamp:tick")
    assert backend.may_see(user, "lamp:tick")
    assert not backend.may_see(user, "core:plugin:enabled")
    for type in ("other:type", "core:plugin:enabled"):
        with pytest.raises(PermissionDeniedError, match="user:alice"):
            backend.send(user, type, None, None, None)
    sent = backend.send(user, "lamp:tick", 1, None, {"m": 1})
    assert (sent.source, sent.payload, sent.meta) == ("user:alice", 1, {"m": 1})


def test_a_request_and_a_call_are_the_users(backend: EdgeBackend) -> None:
    user, guest = _identity(backend, "plugin:lamp:use"), _identity(backend)

    assert backend.request(user, "lamp:ask", None, 5_000).result(10) == {"light": "off", "by": "user:alice"}
    assert backend.call(user, "lamp", "switch", "on").result(10) == {"light": "on", "user": "alice"}
    with pytest.raises(NoHandlerError):
        backend.request(user, "lamp:none", None, None).result(10)
    with pytest.raises(MethodNotFoundError):
        backend.call(user, "lamp", "none", None).result(10)
    with pytest.raises(PermissionDeniedError):
        backend.call(guest, "lamp", "switch", "on").result(10)
    with pytest.raises(PermissionDeniedError):
        backend.request(guest, "lamp:ask", None, None)


def test_a_store_is_read_and_followed_across_a_reload(backend: EdgeBackend, host: MemoryHost) -> None:
    user, topic = _identity(backend, "plugin:lamp:use"), Topic(plugin="lamp", store="light")
    value, version = backend.read(user, topic)
    told: list[tuple[Any, int]] = []
    came = threading.Event()

    def changed(value: Any, version: int) -> None:
        told.append((value, version))
        came.set()

    undo = backend.follow(topic, changed)
    host.call("lamp", "switch", "on", user=user.user)
    host.disable("lamp")
    with pytest.raises(DisabledError):
        backend.read(user, topic)
    came.clear()
    host.enable("lamp")
    assert came.wait(10)
    undo()
    host.call("lamp", "switch", "on", user=user.user)

    assert value == "off"
    assert [pair[0] for pair in told][:2] == ["off", "on"]
    assert told[-1][0] == "off"
    assert [pair[1] for pair in told] == sorted({version, *(pair[1] for pair in told)})


def test_a_shared_value_is_read_by_those_who_may_hear_of_its_owner(backend: EdgeBackend, host: MemoryHost) -> None:
    host.host.plugins.shared.set("lamp:room", "kitchen")
    topic = Topic(key="lamp:room")

    assert backend.read(_identity(backend, "plugin:lamp:use"), topic)[0] == "kitchen"
    with pytest.raises(PermissionDeniedError):
        backend.read(_identity(backend), topic)
    with pytest.raises(NotFoundError):
        backend.read(_identity(backend, "plugin:lamp:use"), Topic(plugin="lamp", store="none"))


def test_feed_and_history_meet_at_the_position(backend: EdgeBackend, host: MemoryHost) -> None:
    host.bus.send("lamp:a")
    start = backend.cursor_of(backend.position())
    host.bus.send("lamp:b")
    feed = backend.open_feed(lambda: None)
    position = backend.position()
    host.bus.send("lamp:c")

    replayed = backend.replay("lamp:*", start, 10, position)
    fed = [entry for entry in feed.take(10) if isinstance(entry, Message)]
    feed.close()

    assert [message.type for message in replayed.messages] == ["lamp:b"]
    assert [message.type for message in fed if message.seq > position] == ["lamp:c"]
    assert backend.seq_of(backend.cursor_of(7)) == 7
    assert backend.replay("lamp:*", "other.3", 10).gap is not None
    with pytest.raises(MalformedError):
        backend.replay("lamp:*", "nonsense!", 10)
