"""What a plugin may do through its context, and that it ends with the plugin."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from corehost import PermissionSet, UserContext
from corehost.contract.errors import (
    BusyError,
    CorehostError,
    InvalidError,
    LateError,
    NotFoundError,
    PermissionDeniedError,
    TooLargeError,
)
from corehost.messaging.trail import Trail, entered
from corehost.plugins.registry import Plugin
from tests.plugins.workshop import Workshop

ALL = (
    "storage:read",
    "storage:write",
    "plugins:communicate",
    "user:read",
    "user:write",
    "network:fetch",
    "routes:register",
)
ANN = UserContext(id="ann", permissions=PermissionSet({"*"}))


def open_context(workshop: Workshop, *permissions: str, plugin_id: str = "probe") -> Any:
    """Start the host with one plugin and return the plugin's context, as its setup got it."""
    contexts: list[Any] = []
    workshop.write(plugin_id, KEEP, permissions=permissions)
    plugins = workshop.plugins

    def keep(plugin: Plugin) -> Callable[[], None]:
        if plugin.id == plugin_id:
            contexts.append(plugin.module.CONTEXT)  # type: ignore[union-attr]  # a loaded plugin has a module
        return lambda: None

    plugins.add_part(keep)
    workshop.start()
    assert workshop.status(plugin_id) == "enabled", workshop.error(plugin_id)
    return contexts[0]


KEEP = """
@hookimpl
def corehost_setup(context):
    global CONTEXT
    CONTEXT = context
"""


@pytest.mark.parametrize(
    ("permission", "use"),
    [
        ("storage:read", lambda context: context.storage.get("a")),
        ("storage:read", lambda context: context.storage.keys()),
        ("storage:write", lambda context: context.storage.set("a", 1)),
        ("storage:write", lambda context: context.storage.delete("a")),
        ("storage:write", lambda context: context.storage.clear()),
        ("storage:write", lambda context: context.storage.transaction().__enter__()),
        ("plugins:communicate", lambda context: context.core.messages.send("a:b")),
        ("plugins:communicate", lambda context: context.core.messages.request("a:b")),
        ("plugins:communicate", lambda context: context.core.messages.subscribe("a:b", print)),
        ("plugins:communicate", lambda context: context.core.messages.once("a:b")),
        ("plugins:communicate", lambda context: context.core.messages.get_history()),
        ("plugins:communicate", lambda context: context.core.state.set("a", 1)),
        ("plugins:communicate", lambda context: context.core.state.get("a")),
        ("plugins:communicate", lambda context: context.core.state.subscribe("a", print)),
        ("plugins:communicate", lambda context: context.core.plugins.call("probe", "x")),
        ("host:configure", lambda context: context.core.plugins.get_config("probe")),
        ("host:configure", lambda context: context.core.plugins.set_config("probe", {})),
        ("routes:register", lambda context: context.core.routes.register([])),
        ("routes:register", lambda context: context.core.routes.unregister([])),
        ("user:read", lambda context: context.users.current()),
        ("user:read", lambda context: context.users.get_preference("a")),
        ("user:write", lambda context: context.users.set_preference("a", 1)),
        ("network:fetch", lambda context: context.http.get("https://example.com")),
    ],
)
def test_a_door_refuses_who_was_not_granted_logs_it_and_counts_it(
    workshop: Workshop, permission: str, use: Callable[[Any], Any]
) -> None:
    others = tuple(name for name in ALL if name != permission)
    context = open_context(workshop, *others)

    with pytest.raises(PermissionDeniedError) as refused:
        use(context)

    assert (refused.value.permission, refused.value.subject) == (permission, "probe")
    assert workshop.faults.summary("probe")["refusals"] == {permission: 1}


def test_a_transaction_of_a_plugin_that_may_only_write_cannot_read(workshop: Workshop) -> None:
    context = open_context(workshop, "storage:write")

    with context.storage.transaction() as storage:
        storage.set("a", 1)
        with pytest.raises(PermissionDeniedError):
            storage.get("a")
        with pytest.raises(PermissionDeniedError):
            storage.keys()


def test_storage_survives_a_restart_and_belongs_to_one_plugin(workshop: Workshop) -> None:
    context = open_context(workshop, *ALL)
    context.storage.set("a", {"b": [1]})
    workshop.write("other", KEEP, permissions=ALL)

    workshop.restart()

    other = workshop.registry.get("other").module.CONTEXT  # type: ignore[union-attr]  # it is loaded
    mine = workshop.registry.get("probe").module.CONTEXT  # type: ignore[union-attr]  # it is loaded
    assert other.storage.get("a") is None
    assert mine.storage.get("a") == {"b": [1]}


def test_preferences_belong_to_the_user_behind_what_happens(workshop: Workshop) -> None:
    users = open_context(workshop, *ALL).users
    with entered(Trail(user=ANN)):
        users.set_preference("layout", ["a"])
        assert users.current() == ANN
        assert users.get_preference("layout") == ["a"]
    with entered(Trail(user=UserContext(id="bob"))):
        assert users.get_preference("layout", "none") == "none"
        with pytest.raises(InvalidError):
            users.set_preference("layout", {1, 2})
    assert users.current() is None
    with pytest.raises(NotFoundError, match="no user"):
        users.get_preference("layout")


def test_timers_run_in_the_lane_are_charged_and_end_with_the_plugin(workshop: Workshop) -> None:
    context = open_context(workshop, *ALL)
    ticked, threads = threading.Semaphore(0), set()

    def tick() -> None:
        threads.add(threading.current_thread().name)
        ticked.release()
        raise ValueError("tick")

    context.every(0.01, tick)
    once = threading.Event()
    context.later(0.01, once.set)
    assert all(ticked.acquire(timeout=10) for _ in range(3))
    assert once.wait(10)
    assert threading.current_thread().name not in threads

    workshop.plugins.lifecycle.disable("probe")
    workshop.bus.drain()
    while ticked.acquire(blocking=False):
        continue
    assert not ticked.acquire(timeout=0.1)
    assert workshop.faults.summary("probe")["errors"]["timer"] >= 3


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "1", True])
def test_a_timer_needs_a_sensible_time(workshop: Workshop, seconds: Any) -> None:
    context = open_context(workshop)
    with pytest.raises(InvalidError):
        context.every(seconds, print)


def test_async_work_runs_wherever_a_callable_does(workshop: Workshop) -> None:
    context = open_context(workshop, *ALL)
    heard: list[str] = []
    done = threading.Semaphore(0)

    async def hear(what: Any = None) -> str:
        heard.append(type(what).__name__)
        done.release()
        return "answer"

    context.core.messages.subscribe("a:b", hear)
    context.core.events.on("probe:*", hear)
    context.core.state.subscribe("key", hear)
    context.later(0.01, hear)
    context.spawn(lambda _signal: hear())
    context.core.messages.send("a:b")
    context.core.events.emit("probe:x", 1)

    assert all(done.acquire(timeout=10) for _ in range(5))
    assert sorted(heard) == ["Message", "NoneType", "NoneType", "NoneType", "int"]
    assert context.core.messages.request("a:b") == "answer"


def test_a_spawned_thread_is_told_to_end_and_what_it_raises_is_charged(workshop: Workshop) -> None:
    context = open_context(workshop)
    begun, ended = threading.Event(), threading.Event()

    def work(signal: Any) -> None:
        begun.set()
        signal.wait()
        ended.set()
        raise SystemExit

    context.spawn(work)
    assert begun.wait(10)
    workshop.plugins.lifecycle.disable("probe")

    assert ended.is_set()
    assert workshop.faults.summary("probe")["errors"] == {"spawn": 1}


def test_a_spawned_coroutine_is_cancelled_with_its_plugin(workshop: Workshop) -> None:
    body = """
    import asyncio
    @hookimpl
    async def corehost_setup(context):
        context.spawn(work)
    async def work():
        note("begun")
        try:
            await asyncio.sleep(60)
        finally:
            note("ended")
    """
    workshop.write("probe", body)
    workshop.start()
    for _ in range(1000):
        if workshop.noted():
            break
        threading.Event().wait(0.01)
    workshop.plugins.lifecycle.disable("probe")

    assert workshop.noted() == ["begun", "ended"]
    assert workshop.faults.summary("probe")["errors"] == {}


def test_a_plugin_has_no_more_than_32_threads(workshop: Workshop) -> None:
    context = open_context(workshop)
    undos = [context.spawn(lambda signal: signal.wait()) for _ in range(32)]

    with pytest.raises(BusyError):
        context.spawn(print)
    undos[0]()
    context.spawn(lambda signal: signal.wait())


def test_a_closed_context_opens_nothing(workshop: Workshop) -> None:
    context = open_context(workshop, *ALL)
    workshop.plugins.lifecycle.disable("probe")

    uses: list[Callable[[], Any]] = [
        lambda: context.core.messages.subscribe("a:b", print),
        lambda: context.core.state.subscribe("a", print),
        lambda: context.core.events.on("a:b", print),
        lambda: context.every(1, print),
        lambda: context.spawn(print),
        lambda: context.storage.set("a", 1),
    ]
    for use in uses:
        with pytest.raises(CorehostError):
            use()
    assert workshop.bus.count("probe") == 0
    assert workshop.messaging.events.count("probe") == 0


def test_other_plugins_are_shown_as_they_are(workshop: Workshop) -> None:
    workshop.write(
        "clock",
        """
        @hookimpl
        def corehost_api():
            return ApiSpec(version="2.0.0", methods={"now": Method(handler=lambda i, c: c.caller_id)})
        """,
        permissions=("api:expose",),
    )
    (workshop.folder / "broken.py").write_text("1/0")
    plugins = open_context(workshop, *ALL).core.plugins

    clock = plugins.get("clock")
    assert (clock.manifest.id, clock.status, clock.error, clock.api.version) == ("clock", "enabled", None, "2.0.0")
    assert clock.api.methods["now"].handler(None, None) == "probe"
    assert (plugins.has("clock"), plugins.has("broken"), plugins.has("nobody")) == (True, False, False)
    assert plugins.get("nobody") is None
    assert plugins.get("broken").status == "error"
    assert len(plugins.get_all()) == 3
    assert dict(clock.stores) == {}
    with pytest.raises(KeyError):
        clock.stores["nothing"]


def test_events_under_anothers_name_are_refused_and_handlers_are_taken_off(workshop: Workshop) -> None:
    events = open_context(workshop, *ALL).core.events
    heard: list[Any] = []
    events.on("probe:x", heard.append)
    events.emit("probe:x", 1)
    workshop.bus.drain()
    events.off("probe:x", heard.append)
    events.emit("probe:x", 2)
    workshop.bus.drain()

    assert heard == [1]
    with pytest.raises(PermissionDeniedError):
        events.emit("plugin:loaded", 1)


class _Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path != "/moved" else 302)
        self.send_header("Location", "/")
        self.end_headers()
        if self.path == "/large":
            for _ in range(12):
                self.wfile.write(b"x" * 1_000_000)
        elif self.path == "/slow":
            threading.Event().wait(1.0)
        elif self.path == "/trickle":
            self._trickle()
        else:
            self.wfile.write(json.dumps({"path": self.path}).encode())

    def _trickle(self) -> None:
        try:
            for _ in range(200):
                self.wfile.write(b"x")
                threading.Event().wait(0.05)
        except OSError:  # whoever asked has hung up, as it should
            return

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        return


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_requests_go_out_within_limits(workshop: Workshop, server: str) -> None:
    client = open_context(workshop, *ALL).http

    assert client.get(f"{server}/a").json() == {"path": "/a"}
    assert client.post(server, json={"a": 1}).data == b'{"a":1}'
    moved = client.get(f"{server}/moved")
    assert (moved.status, moved.headers["location"]) == (302, "/")
    with pytest.raises(TooLargeError):
        client.get(f"{server}/large")
    with pytest.raises(LateError):
        client.get(f"{server}/slow", timeout=0.2)
    began = time.monotonic()
    with pytest.raises(LateError, match="slowly"):
        client.get(f"{server}/trickle", timeout=0.3)
    assert time.monotonic() - began < 8.0
    with pytest.raises(NotFoundError):
        client.get("http://127.0.0.1:9/")
    with pytest.raises(InvalidError):
        client.get("file:///etc/passwd")


def test_a_grant_that_is_gone_is_seen_by_the_next_message(workshop: Workshop) -> None:
    messages = open_context(workshop, "plugins:communicate").core.messages
    for _ in range(2):
        messages.send("t")

    plugin = workshop.registry.get("probe")
    plugin.granted = PermissionSet()
    for forbidden in ("send", "request", "once"):
        with pytest.raises(PermissionDeniedError, match="plugins:communicate"):
            getattr(messages, forbidden)("t")

    plugin.granted = PermissionSet({"plugins:communicate"})
    messages.send("t")
