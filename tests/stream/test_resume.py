"""A client that is cut off again and again sees each message once and in order, or is told exactly what it missed."""

from __future__ import annotations

import json
import random
import shutil
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
HISTORY = 10_000  # messages that the host keeps
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset, as a lost connection
Told = tuple[str, str, Any]
"""``message`` or ``gap``, the cursor after it, and what was told."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("resume") / "data"
    shutil.copytree(Path(__file__).parent / "plugins", data / "plugins")
    served = Served(data)
    yield served.ready()
    served.kill()


def by_websocket(host: Served, since: str | None, stop: int, last: int = 0) -> Iterator[Told]:
    """Follow until *stop* were told, or the message *last*, then lose the connection."""
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
                message = frame["params"]["message"]
                stop = 0 if message["seq"] == last else stop - 1
                yield "message", frame["params"]["cursor"], message
            elif frame["method"] == "bus.gap":
                yield "gap", frame["params"]["to"], frame["params"]
        browser.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        browser.socket.shutdown(socket.SHUT_RDWR)


def by_events(host: Served, since: str | None, stop: int, last: int = 0) -> Iterator[Told]:
    """Follow until *stop* were told, or the message *last*, then lose the connection."""
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
            name, told = event.pop("event", "message"), json.loads(event.pop("data"))
            if name == "message":
                stop = 0 if told["seq"] == last else stop - 1
            yield name, event["id"], told
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
def test_who_comes_back_too_late_is_told_exactly_what_is_missing(host: Served, tell: Tell, way: str) -> None:
    before = host.get(f"{MESSAGES}?type={TYPE}").json()["cursor"]
    sent: list[int] = host.call("spring", "pour", {"type": TYPE, "count": 4_000})
    host.call("spring", "pour", {"type": "stream:other", "count": HISTORY - 3_000})
    sent += host.call("spring", "pour", {"type": TYPE, "count": 2})

    told = list(FOLLOW[way](host, before, len(sent), last=sent[-1]))

    (_, begun, _), (what, _, gap), *messages = told
    assert (what, gap["from"], gap["to"]) == ("gap", before, begun)
    missing = [seq for seq in sent if seq <= _seq(gap["to"])]
    assert missing[-1] == _seq(gap["to"]), "the gap ends with a message that is missing"
    assert [what for what, _, _ in messages] == ["message"] * len(messages)
    assert [message["seq"] for _, _, message in messages] == sent[len(missing) :], "the rest is there, each once"
    assert len(messages) >= 1_000, "no more is missing than had to be forgotten"
    tell(f"{way}: {len(missing):,} of {len(sent):,} forgotten: all in one gap, and the others heard once and in order")


@pytest.mark.parametrize("way", list(FOLLOW))
def test_a_cursor_from_before_a_restart_is_answered_with_a_gap(
    restarted: tuple[Served, str, list[int]], way: str
) -> None:
    again, before, sent = restarted

    told = [one for one in FOLLOW[way](again, before, len(sent)) if one[0] != "begun"]

    assert [what for what, _, _ in told] == ["gap", *["message"] * len(sent)]
    assert told[0][2]["from"] == before
    assert [message["seq"] for _, _, message in told[1:]] == sent


@pytest.fixture(scope="module")
def restarted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str, list[int]]]:
    """A host that was restarted, a cursor from before, and what was sent since: more than before, so a guess fits."""
    data = tmp_path_factory.mktemp("restart") / "data"
    begun, sent = threading.Event(), list[int]()
    begun.set()
    host = Served(data).ready()
    _publish(host, begun, 3, [])
    before: str = host.get(f"{MESSAGES}?type={TYPE}").json()["cursor"]
    host.stop()
    again = Served(data).ready()
    _publish(again, begun, 20, sent)
    assert _seq(before) < sent[-1]
    yield again, before, sent
    again.kill()


def _publish(host: Served, begun: threading.Event, count: int, sent: list[int]) -> None:
    assert begun.wait(WAIT)
    with host.browser() as browser:
        answers = (browser.call("bus.send", type=TYPE, payload={"n": number}) for number in range(count))
        sent.extend(answer["message"]["seq"] for answer in answers)


def _seq(cursor: str) -> int:
    return int(cursor.rpartition(".")[2])
