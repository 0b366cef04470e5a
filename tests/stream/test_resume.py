"""A client that is cut off again and again sees each message once and in order, or is told exactly what it missed."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.serve.kit import MESSAGES, WAIT, Served
from tests.tiers import Scale, Tell

pytestmark = pytest.mark.suite("The stream of messages")

TYPE = "stream:tick"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset, as a lost connection
Told = tuple[str, str, Any]
"""``message`` or ``gap``, the cursor after it, and what was told."""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path / "data")
    yield served.ready()
    served.kill()


def by_websocket(host: Served, since: str | None, stop: int) -> Iterator[Told]:
    """Follow until *stop* were told, then lose the connection."""
    with connect(
        f"ws://127.0.0.1:{host.port}{MESSAGES}",
        subprotocols=["corehost.v1"],  # type: ignore[list-item]  # a NewType of str
        additional_headers={"Authorization": f"Bearer {host.token}"},
        ping_interval=None,
        compression=None,
        proxy=None,
    ) as browser:
        wanted = {"type": TYPE} if since is None else {"type": TYPE, "since": since}
        browser.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "bus.subscribe", "params": wanted}))
        while stop:
            frame = json.loads(browser.recv(WAIT))
            assert "error" not in frame, frame
            if frame.get("id") == 1:
                yield "begun", frame["result"]["cursor"], None
            elif frame["method"] == "bus.message":
                stop -= 1
                yield "message", frame["params"]["cursor"], frame["params"]["message"]
            elif frame["method"] == "bus.gap":
                yield "gap", frame["params"]["to"], frame["params"]
        browser.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        browser.socket.shutdown(socket.SHUT_RDWR)


def by_events(host: Served, since: str | None, stop: int) -> Iterator[Told]:
    """Follow until *stop* were told, then lose the connection."""
    connection = HTTPConnection("127.0.0.1", host.port, timeout=WAIT)
    headers = {"Authorization": f"Bearer {host.token}", "Accept": "text/event-stream"}
    if since is not None:
        headers["Last-Event-ID"] = since
    connection.request("GET", f"{MESSAGES}?type={TYPE}", headers=headers)
    sock = connection.sock
    response = connection.getresponse()
    assert response.status == 200
    event: dict[str, str] = {}
    while stop:
        key, _, value = response.readline().decode().rstrip("\n").partition(": ")
        if key:
            event[key] = value
        elif "data" in event:
            name = event.pop("event", "message")
            stop -= name == "message"
            yield name, event["id"], json.loads(event.pop("data"))
        elif "id" in event:
            yield "begun", event["id"], None
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    response.close()
    connection.close()


FOLLOW = {"WebSocket": by_websocket, "SSE": by_events}


@pytest.mark.parametrize("way", list(FOLLOW))
def test_who_is_cut_off_at_random_misses_nothing_in_silence(
    host: Served, scale: Scale, dice: random.Random, tell: Tell, way: str
) -> None:
    count, cuts = scale(10_000), scale(500)
    stops = [*sorted(dice.sample(range(1, count), cuts)), count]
    sent: list[int] = []
    begun = threading.Event()
    publisher = threading.Thread(target=_publish, args=(host, begun, count, sent))
    publisher.start()

    heard: list[int] = []
    excused: set[int] = set()
    cursor: str | None = None
    rounds = 0
    while len(heard) + len(excused) < count:
        rounds += 1
        stop = next(stop for stop in stops if stop > len(heard)) - len(heard)
        for what, after, told in FOLLOW[way](host, cursor, stop):
            cursor = after
            begun.set()
            if what == "message":
                heard.append(told["seq"])
            elif what == "gap":
                excused |= set(range(_seq(told["from"]) + 1, _seq(told["to"]) + 1)) & set(sent)
    publisher.join(WAIT)

    assert len(sent) == count
    assert heard == sorted(set(heard)), "each once and in order"
    assert set(sent) - set(heard) == excused, "what is missing is what the gaps name"
    assert rounds > cuts or excused
    tell(
        f"{way}: {count:,} messages, {rounds - 1} cuts: {len(heard):,} heard once and in order, {len(excused)} in gaps"
    )


@pytest.mark.parametrize("way", list(FOLLOW))
def test_a_cursor_from_before_a_restart_is_answered_with_a_gap(host: Served, tmp_path: Path, way: str) -> None:
    begun = threading.Event()
    begun.set()
    _publish(host, begun, 3, [])
    before = host.get(f"{MESSAGES}?type={TYPE}").json()["cursor"]
    host.stop()
    again = Served(tmp_path / "data").ready()
    try:
        sent: list[int] = []
        _publish(again, begun, 2, sent)

        told = [one for one in FOLLOW[way](again, before, 2) if one[0] != "begun"]

        assert [what for what, _, _ in told] == ["gap", "message", "message"]
        assert told[0][2]["from"] == before
        assert [message["seq"] for _, _, message in told[1:]] == sent
    finally:
        again.kill()


def _publish(host: Served, begun: threading.Event, count: int, sent: list[int]) -> None:
    assert begun.wait(WAIT)
    with host.browser() as browser:
        answers = (browser.call("bus.send", type=TYPE, payload={"n": number}) for number in range(count))
        sent.extend(answer["message"]["seq"] for answer in answers)


def _seq(cursor: str) -> int:
    return int(cursor.rpartition(".")[2])
