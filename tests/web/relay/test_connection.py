"""One browser's connection: its frames, its limits, its end."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from tests.web.relay.browser import Events, Raw, frame, rpc
from tests.web.relay.conftest import LocalHost, Served, until

SIZE_LIMIT = 65_536


@pytest.fixture
def raw(host: LocalHost) -> Iterator[Raw]:
    with host.raw() as raw:
        raw.open()
        assert raw.json()["method"] == "session.welcome"
        yield raw


def _text_of(size: int) -> bytes:
    head = b'{"jsonrpc":"2.0","id":1,"method":"bus.send","params":{"type":"a:b","payload":"'
    return head + b"x" * (size - len(head) - 3) + b'"}}'


def test_a_ping_is_answered_with_its_own_bytes(raw: Raw) -> None:
    raw.send(frame(b"are you there", 9))

    assert raw.frame() == (10, b"are you there")


def test_a_ping_between_fragments_is_answered_and_the_text_is_whole(raw: Raw) -> None:
    text = _text_of(300)
    raw.send(frame(text[:100], 1, fin=False) + frame(b"!", 9) + frame(text[100:200], 0, fin=False))
    assert raw.frame() == (10, b"!")
    raw.send(frame(text[200:], 0))

    assert raw.json()["result"]["message"]["type"] == "a:b"


def test_a_close_is_echoed_and_the_connection_ends(raw: Raw) -> None:
    raw.send(frame(b"\x0b\xb8" + b"bye", 8))

    assert raw.close_code() == 3000
    assert raw.at_end()


def test_what_a_client_still_sends_does_not_reset_the_farewell_away(raw: Raw) -> None:
    raw.send(frame(b"x", 3) + b"y" * 20_000_000)

    assert raw.close_code() == 1002


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (frame(b"\x00\x01", 2), 1003),
        (frame(b"\xff\xfe", 1), 1007),
        (frame(b"\xc3", 1, fin=False) + frame(b"(", 0), 1007),
        (frame(b"x", 3), 1002),
        (frame(b"x", 0), 1002),
        (b"\x81\x01x", 1002),
        (frame(b"x" * 126, 9), 1002),
        (frame(b"\x03\xed", 8), 1002),
        (frame(b"x" * (SIZE_LIMIT + 1)), 1009),
        (frame(b"x" * 40_000, 1, fin=False) + frame(b"x" * 40_000, 0, fin=False), 1009),
        (frame("é".encode() * 40_000), 1009),
    ],
)
def test_a_wrong_frame_is_answered_with_its_close_code(raw: Raw, sent: bytes, code: int) -> None:
    raw.send(sent)

    assert raw.close_code() == code
    assert raw.at_end()


def test_a_message_of_just_the_limit_is_taken(raw: Raw) -> None:
    raw.send(frame(_text_of(SIZE_LIMIT)))

    assert len(raw.json()["result"]["message"]["payload"]) > 60_000


def test_an_endless_message_costs_no_memory(serve: Callable[..., Served]) -> None:
    served = serve()
    with Raw(served.port) as raw:
        raw.open()
        before = _memory(served)
        raw.send(bytes([0x81, 0x80 | 127]) + (200_000_000).to_bytes(8, "big") + b"\0\0\0\0")
        with suppress(OSError):
            for _ in range(200):
                raw.send(b"x" * 1_000_000)

        assert _memory(served) - before < 8_000_000
    with served.browser() as browser:
        assert browser.call("ping")


def _memory(served: Served) -> int:
    """Resident bytes of all processes of the server."""
    children = f"/proc/{served.process.pid}/task/{served.process.pid}/children"
    with open(children) as listed:  # noqa: PTH123  # not a file with a path
        pids = [served.process.pid, *map(int, listed.read().split())]
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/statm") as figures:  # noqa: PTH123  # not a file with a path
            total += int(figures.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total


def test_who_does_not_read_is_closed_with_1013_and_the_others_go_on(make_host: Callable[..., LocalHost]) -> None:
    host = make_host(out_buffer=200_000, send_buffer=16_384)
    with host.raw(receive_buffer=4_096) as stalled, host.browser() as reader:
        stalled.open()
        stalled.json()
        stalled.send(rpc("bus.subscribe", type="a:b"))
        assert stalled.json()["result"]
        reader.call("bus.subscribe", type="a:b")
        count = 0
        while host.relay.presence("user:admin") and count < 400:
            host.backend.publish("a:b", {"n": count, "pad": "x" * 3_000})
            assert reader.message()["payload"]["n"] == count
            count += 1
            if _is_closing(host):
                break

        assert count < 400
        seen, code = _read_all(stalled)
        assert seen == list(range(1, len(seen) + 1))  # no hole before the end, no frame cut in two
        assert code == 1013
        host.backend.publish("a:b", {"n": count})
        assert reader.message()["payload"]["n"] == count
    with host.browser() as again:
        again.call("bus.subscribe", type="a:b", since=f"{host.backend.epoch}.{seen[-1]}")
        assert again.messages(count + 1 - len(seen)) == list(range(len(seen) + 1, count + 2))


def test_who_does_not_read_finds_its_1013_when_it_reads_at_last(make_host: Callable[..., LocalHost]) -> None:
    host = make_host(out_buffer=100_000, send_buffer=16_384, slow_wait=0.1)
    with _stalled(host) as stalled:
        until(lambda: host.relay.sockets() == 1)  # the relay has let go of it

        seen, code = _read_all(stalled)
        assert (seen, code) == (list(range(1, len(seen) + 1)), 1013)


def test_who_does_not_read_does_not_hold_up_the_stop(make_host: Callable[..., LocalHost]) -> None:
    host = make_host(out_buffer=100_000, send_buffer=16_384, slow_wait=60.0)
    with _stalled(host):
        assert host.relay.sockets() == 2

        assert host.relay.stop(5.0)


@contextmanager
def _stalled(host: LocalHost) -> Iterator[Raw]:
    """A client that the relay has given up, beside one that reads."""
    with host.raw(receive_buffer=4_096) as stalled, host.browser() as reader:
        stalled.open()
        stalled.json()
        stalled.send(rpc("bus.subscribe", type="a:b"))
        assert stalled.json()["result"]
        reader.call("bus.subscribe", type="a:b")
        while not _is_closing(host):
            host.backend.publish("a:b", "x" * 3_000)
            reader.message()
        yield stalled


def _is_closing(host: LocalHost) -> bool:
    return len(host.relay.clients()) == 1


def _read_all(raw: Raw) -> tuple[list[int], int]:
    seen: list[int] = []
    while True:
        opcode, payload = raw.frame()
        if opcode == 8:
            return seen, int.from_bytes(payload[:2], "big")
        assert opcode == 1, (opcode, payload)
        seen.append(json.loads(payload)["params"]["message"]["seq"])


def test_a_session_that_signs_out_is_closed_with_1008(host: LocalHost) -> None:
    with host.raw() as raw, host.browser("alice/s2") as other:
        raw.open("alice/s1")
        raw.json()
        host.relay.disconnect(session="s1")

        assert raw.close_code() == 1008
        assert other.call("ping")
        host.relay.disconnect(user="alice")
        with pytest.raises(Exception, match="1008"):
            other.receive()


def test_everybody_is_told_1001_when_the_server_stops(serve: Callable[..., Served]) -> None:
    served = serve()
    with ExitStack() as held:
        raws = [held.enter_context(Raw(served.port)) for _ in range(20)]
        for raw in raws:
            raw.open()
        stream = held.enter_context(Events(served.port))
        served.process.send_signal(signal.SIGTERM)

        assert [raw.close_code() for raw in raws] == [1001] * 20
        assert all(raw.at_end() for raw in raws)
        with pytest.raises(EOFError):
            stream.next()
    assert served.process.wait(10) == 0


def test_a_client_that_never_answers_does_not_hold_up_the_stop(make_host: Callable[..., LocalHost]) -> None:
    host = make_host(close_wait=0.2)
    with host.raw() as raw:
        raw.open()
        until(lambda: len(host.relay.clients()) == 1)

        assert host.relay.stop(2.0)
        assert raw.close_code() == 1001
        assert host.relay.full()


def test_a_reset_connection_is_forgotten(host: LocalHost) -> None:
    with host.raw() as raw:
        raw.open()
        raw.send(rpc("bus.subscribe", type="a:b"))
        raw.json()
        raw.json()
        raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    for number in range(3):
        host.backend.publish("a:b", number)

    until(lambda: host.relay.sockets() == 0)
    until(lambda: host.backend.feeds == 0)
