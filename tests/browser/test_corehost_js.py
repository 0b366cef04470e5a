"""corehost.js in Chromium, against a real relay."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from corehost.web.relay.backend import Topic
from tests.web.relay.conftest import LocalHost, local_host, until
from tests.web.relay.memory_backend import MemoryBackend

pytestmark = pytest.mark.browser


class Line:
    """A TCP line between browser and host that can be cut, and led to another host."""

    def __init__(self, port: int) -> None:
        self.goal = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self.goal))
                except OSError:
                    near.close()
                    continue
                self._ends += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
    source.close()


@pytest.fixture
def line() -> Iterator[Callable[[int], Line]]:
    lines: list[Line] = []

    def lay(port: int) -> Line:
        lines.append(Line(port))
        return lines[-1]

    yield lay
    for laid in lines:
        laid.close()


@pytest.fixture
def host() -> Iterator[LocalHost]:
    with local_host(_backend("one")) as host:
        yield host


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[[int], Page]]:
    """Opens a page that is connected, with ``host`` and a list ``heard`` of what its subscription to ``a:*`` got."""
    pages: list[Page] = []

    def go(port: int, caller: str = "alice/s1") -> Page:
        page = browser.new_page()
        pages.append(page)
        page.goto(f"http://127.0.0.1:{port}/page")
        page.evaluate(
            """async (caller) => {
                 const { connect } = await import("/static/corehost/corehost.js");
                 const url = `ws://${location.host}/api/plugins/messages?as=${caller}`;
                 Object.assign(window, { host: connect({ url }), heard: [], events: [] });
                 host.subscribe("a:*", (message) => heard.push(message.payload));
                 const note = (name) => host.on(name, (...all) => events.push([name, ...all]));
                 ["open", "close", "gap", "error"].forEach(note);
                 await host.ready;
                 await host.history({ limit: 1 });  // answered after the subscription
               }""",
            caller,
        )
        return page

    yield go
    for page in pages:
        page.close()


def _backend(epoch: str) -> MemoryBackend:
    backend = MemoryBackend(epoch=epoch)
    backend.methods["clock", "now"] = lambda given: {"zone": "UTC", "given": given}
    backend.requests["clock:ask"] = lambda payload: {"heard": payload}
    backend.set(Topic(plugin="clock", store="zone"), "UTC")
    return backend


def _hears(page: Page, payloads: list[Any]) -> None:
    page.wait_for_function("wanted => JSON.stringify(heard) === JSON.stringify(wanted)", arg=payloads)


def test_a_page_subscribes_sends_asks_and_calls(host: LocalHost, open_page: Callable[[int], Page]) -> None:
    page = open_page(host.port)

    assert page.evaluate("[host.session, host.user.id, host.state]") == ["s1", "alice", "open"]
    assert page.evaluate("host.send('a:b', {n: 1}).then(m => m.source)") == "user:alice"
    host.backend.publish("a:c", "from a plugin")
    host.backend.publish("b:c", "not asked for")
    _hears(page, [{"n": 1}, "from a plugin"])
    assert page.evaluate("host.request('clock:ask', 7)") == {"heard": 7}
    assert page.evaluate("host.call('clock', 'now', {a: 1})") == {"zone": "UTC", "given": {"a": 1}}
    assert page.evaluate("host.call('clock', 'then').catch(e => [e.name, e.code])") == ["HostError", -32601]
    assert page.evaluate("host.history({type: 'a:*'}).then(h => h.items.length)") == 2


def test_a_page_stops_hearing_what_it_unsubscribed(host: LocalHost, open_page: Callable[[int], Page]) -> None:
    page = open_page(host.port)
    page.evaluate(
        """async () => {
             window.other = [];
             const end = host.subscribe("*:b", (message) => other.push(message.payload), { source: "clock" });
             await host.history({ limit: 1 });
             window.end = end;
           }"""
    )
    host.backend.publish("a:b", 1, source="clock")
    host.backend.publish("a:b", 2)
    _hears(page, [1, 2])
    page.evaluate("end()")
    host.backend.publish("a:b", 3, source="clock")
    _hears(page, [1, 2, 3])

    assert page.evaluate("other") == [1]


def test_a_page_follows_a_store(host: LocalHost, open_page: Callable[[int], Page]) -> None:
    page = open_page(host.port)
    page.evaluate("window.zones = []; window.end = host.watch({plugin: 'clock', store: 'zone'}, z => zones.push(z)); 0")
    page.wait_for_function("zones.length === 1")
    host.backend.set(Topic(plugin="clock", store="zone"), "CET")
    page.wait_for_function("zones.length === 2")

    assert page.evaluate("zones") == ["UTC", "CET"]
    page.evaluate("end()")
    until(lambda: host.backend.followers(Topic(plugin="clock", store="zone")) == 0)


def test_a_page_whose_line_is_cut_misses_nothing(
    host: LocalHost, open_page: Callable[[int], Page], line: Callable[[int], Line]
) -> None:
    laid = line(host.port)
    page = open_page(laid.port)
    page.evaluate("window.zones = []; host.watch({plugin: 'clock', store: 'zone'}, z => zones.push(z)); 0")
    host.backend.publish("a:b", 0)
    _hears(page, [0])
    for cut in range(3):
        laid.cut()
        until(lambda: host.relay.sockets() == 0)
        for number in range(5):
            host.backend.publish("a:b", 1 + cut * 5 + number)
        host.backend.set(Topic(plugin="clock", store="zone"), f"zone {cut}")
        _hears(page, list(range(6 + cut * 5)))

    assert page.evaluate("events.filter(e => e[0] === 'gap')") == []
    page.wait_for_function("zones.at(-1) === 'zone 2'")


def test_a_page_whose_host_restarts_is_told_of_the_gap_and_goes_on(
    open_page: Callable[[int], Page], line: Callable[[int], Line]
) -> None:
    with local_host(_backend("one")) as first:
        laid = line(first.port)
        page = open_page(laid.port)
        for number in range(3):
            first.backend.publish("a:b", number)
        _hears(page, [0, 1, 2])
    page.wait_for_function("host.state !== 'open'")
    with local_host(_backend("two")) as second:
        second.backend.publish("a:b", "first of the new")
        laid.goal = second.port
        _hears(page, [0, 1, 2, "first of the new"])
        second.backend.publish("a:b", "live")
        _hears(page, [0, 1, 2, "first of the new", "live"])

        gaps = page.evaluate("events.filter(e => e[0] === 'gap').map(e => e[1])")
        assert gaps == [{"from": "one.3", "to": "two.0"}]


def test_a_page_that_is_signed_out_does_not_come_back(host: LocalHost, open_page: Callable[[int], Page]) -> None:
    page = open_page(host.port)
    host.relay.disconnect(session="s1")
    page.wait_for_function("host.state === 'closed'")

    assert page.evaluate("events.at(-1)") == ["close", {"code": 1008, "reason": "Signed out."}]
    assert page.evaluate("host.send('a:b').catch(e => e.message)") == "Signed out."


def test_a_page_is_told_of_a_gap_once(
    host: LocalHost, open_page: Callable[[int], Page], line: Callable[[int], Line]
) -> None:
    laid = line(host.port)
    page = open_page(laid.port)
    host.backend.lose(5)
    page.wait_for_function("events.some(e => e[0] === 'gap')")
    laid.cut()
    until(lambda: host.relay.sockets() == 0)
    host.backend.publish("a:b", 1)
    _hears(page, [1])

    assert page.evaluate("events.filter(e => e[0] === 'gap').length") == 1


def test_a_page_goes_where_it_is_sent_but_never_to_another_host(
    host: LocalHost, open_page: Callable[[int], Page]
) -> None:
    page = open_page(host.port)
    asked_for: list[str] = []
    page.on("request", lambda request: asked_for.append(request.url))
    for number, path in enumerate(("https://example.org/", "//example.org/", "/\\example.org", "javascript:alert(1)")):
        host.relay.notify("s1", "ui.navigate", {"path": path})
        host.backend.publish("a:b", number)
        _hears(page, list(range(number + 1)))
    host.relay.notify("s1", "ui.navigate", {"path": "/figures?x=1"})
    page.wait_for_url(f"http://127.0.0.1:{host.port}/figures?x=1")

    assert not [url for url in asked_for if "example.org" in url]
