from __future__ import annotations

import errno
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from corehost.contract.errors import BusyError, ConflictError, PluginFaultError
from corehost.contract.message import Message
from corehost.messaging.faults import Blockage
from corehost.web.bulkhead import Bulkhead
from corehost.web.gate import REFUSAL
from corehost.web.mount import Mount, Place

READY = threading.Event()
READY.set()


class Ledger:
    """A fault sink that remembers."""

    def __init__(self) -> None:
        self.charged: list[tuple[str, BaseException]] = []
        self.times: list[tuple[str, str]] = []

    def charge(self, owner: str, error: BaseException, *, where: str, message: Message | None = None) -> None:
        self.charged.append((owner, error))

    def quarantine(self, owner: str, reason: str) -> None:
        raise AssertionError(reason)

    def took(
        self, owner: str, what: str, seconds: float, *, count: int = 1, lag: float | None = None, is_part: bool = False
    ) -> None:
        self.times.append((owner, what))

    def blocked(self, owner: str, blockage: Blockage) -> None:
        raise AssertionError(blockage)

    def unblocked(self, owner: str, seconds: float) -> None:
        raise AssertionError(seconds)


def says(text: str) -> Any:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        return [text.encode()]

    return app


def host_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    refusal = environ.get(REFUSAL)
    return [f"host:{type(refusal).__name__}".encode() if refusal else b"host"]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def mount(ledger: Ledger) -> Mount:
    return Mount(host=host_app, bulkhead=Bulkhead(4, stuck=0.05), faults=ledger, ready=READY, drain_seconds=5.0)


def ask(mount: Mount, path: str) -> str:
    body = mount({"PATH_INFO": path}, lambda *_: None)
    try:
        return b"".join(body).decode()
    finally:
        close = getattr(body, "close", None)
        if close:
            close()


def test_the_longest_base_path_wins_on_a_segments_border(mount: Mount) -> None:
    mount.attach(Place("clock", "/clock", says("clock")))
    mount.attach(Place("deep", "/clock/deep", says("deep")))

    assert ask(mount, "/clock") == "clock"
    assert ask(mount, "/clock/now") == "clock"
    assert ask(mount, "/clock/deep/er") == "deep"
    assert ask(mount, "/clock/deeper") == "clock"
    assert ask(mount, "/clockwork") == "host"


def test_after_the_undo_the_host_answers(mount: Mount) -> None:
    undo = mount.attach(Place("clock", "/clock", says("clock")))
    generation = mount.generation.get()

    undo()
    undo()

    assert ask(mount, "/clock") == "host"
    assert mount.generation.get() > generation
    assert mount.places() == []


def test_a_base_path_has_one_plugin(mount: Mount) -> None:
    mount.attach(Place("a", "/same", says("a")))

    with pytest.raises(ConflictError, match="taken by plugin 'a'"):
        mount.attach(Place("b", "/same", says("b")))


@pytest.mark.parametrize("path", ["/api", "/static/x", "/signin", "/healthz", "/bootstrap"])
def test_the_hosts_own_paths_cannot_be_taken(mount: Mount, path: str) -> None:
    with pytest.raises(ConflictError, match="belongs to the host"):
        mount.attach(Place("thief", path, says("mine")))


def test_a_request_is_inside_until_its_body_is_closed(mount: Mount, ledger: Ledger) -> None:
    mount.attach(Place("clock", "/clock", says("clock")))
    body = mount({"PATH_INFO": "/clock"}, lambda *_: None)

    assert list(body) == [b"clock"]
    assert ledger.times == []
    body.close()  # type: ignore[attr-defined]  # WSGI bodies may have it, this one does
    body.close()  # type: ignore[attr-defined]  # ditto

    assert ledger.times == [("clock", "route")]


def test_the_undo_waits_for_requests_inside(mount: Mount) -> None:
    undo = mount.attach(Place("clock", "/clock", says("clock")))
    body = mount({"PATH_INFO": "/clock"}, lambda *_: None)
    done = threading.Event()

    def switch_off() -> None:
        undo()
        done.set()

    threading.Thread(target=switch_off, daemon=True).start()

    assert not done.wait(0.1)
    assert ask(mount, "/clock") == "host"
    body.close()  # type: ignore[attr-defined]  # WSGI bodies may have it, this one does

    assert done.wait(5.0)


def test_a_request_that_does_not_leave_in_time_is_cut(ledger: Ledger) -> None:
    mount = Mount(host=host_app, bulkhead=Bulkhead(4), faults=ledger, ready=READY, drain_seconds=0.05)

    def endless(environ: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes]:
        while True:
            yield b"tick"

    undo = mount.attach(Place("clock", "/clock", endless))
    body = iter(mount({"PATH_INFO": "/clock"}, lambda *_: None))
    next(body)
    undo()

    with pytest.raises(BrokenPipeError) as raised:
        next(body)
    assert raised.value.errno == errno.EPIPE


def test_a_full_plugin_is_answered_by_the_host(mount: Mount) -> None:
    mount.attach(Place("slow", "/slow", says("slow")))
    held = [mount({"PATH_INFO": "/slow"}, lambda *_: None) for _ in range(2)]

    assert ask(mount, "/slow") == f"host:{BusyError.__name__}"
    assert len(held) == 2


def test_an_app_that_raises_gives_its_place_back(mount: Mount) -> None:
    def broken(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        raise ValueError("broken")

    undo = mount.attach(Place("broken", "/broken", broken))
    for _ in range(9):
        with pytest.raises(ValueError, match="broken"):
            ask(mount, "/broken")

    began = time.monotonic()
    undo()
    assert time.monotonic() - began < 4.0  # a place that was kept would be waited for 5 s


def test_the_relays_way_out_of_a_response_passes(mount: Mount) -> None:
    def taken(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        raise StopIteration

    mount.attach(Place("taken", "/taken", taken))

    with pytest.raises(StopIteration):
        mount({"PATH_INFO": "/taken"}, lambda *_: None)


def test_a_view_that_exits_does_not_end_the_host(mount: Mount, ledger: Ledger) -> None:
    mount.attach(Place("rude", "/rude", lambda *_: sys.exit(3)))

    assert ask(mount, "/rude") == f"host:{PluginFaultError.__name__}"
    assert [owner for owner, _ in ledger.charged] == ["rude"]


def test_a_body_that_breaks_off_is_charged_and_cuts_the_connection(mount: Mount, ledger: Ledger) -> None:
    def breaks(environ: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes]:
        yield b"half"
        raise SystemExit

    mount.attach(Place("breaks", "/breaks", breaks))

    with pytest.raises(BrokenPipeError):
        ask(mount, "/breaks")
    assert [owner for owner, _ in ledger.charged] == ["breaks"]


def test_swapping_an_app_loses_no_request(mount: Mount) -> None:
    place = Place("clock", "/clock", says("first"))
    mount.attach(place)
    answers: set[str] = set()
    stop = threading.Event()

    def visit() -> None:
        while not stop.is_set():
            answers.add(ask(mount, "/clock"))

    visitors = [threading.Thread(target=visit) for _ in range(2)]
    for visitor in visitors:
        visitor.start()
    for number in range(50):
        mount.swap(place, says(f"swapped{number}"))
    stop.set()
    for visitor in visitors:
        visitor.join(5.0)

    assert "host" not in answers
    assert ask(mount, "/clock") == "swapped49"
