"""Messages as server-sent events."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.web.relay.browser import Events
from tests.web.relay.conftest import LocalHost, until
from tests.web.relay.memory_backend import MemoryBackend


def test_a_stream_carries_message_and_cursor(host: LocalHost) -> None:
    with host.events("?type=a:*") as stream:
        until(lambda: host.backend.feeds == 1)
        host.backend.publish("b:c")
        host.backend.publish("a:b", {"text": "two\nlines"})
        name, message = stream.next()

    assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
    assert (name, message["payload"], stream.last) == ("message", {"text": "two\nlines"}, f"{host.backend.epoch}.2")


def test_a_stream_of_several_types_brings_each_message_once(host: LocalHost) -> None:
    with host.events("?type=a:*&type=*:b&type=c:d") as stream:
        until(lambda: host.backend.feeds == 1)
        for type in ("a:b", "x:y", "c:d", "c:b"):
            host.backend.publish(type)

        assert [stream.next()[1]["type"] for _ in range(3)] == ["a:b", "c:d", "c:b"]


def test_a_stream_without_a_message_can_already_be_resumed(host: LocalHost) -> None:
    host.backend.publish("a:b", 1)
    with host.events() as stream:
        until(lambda: host.relay.sockets() == 1)
        next(line for line in stream.lines() if line.startswith("id: "))
    host.backend.publish("a:b", 2)

    with host.events(last=f"{host.backend.epoch}.1") as again:
        assert again.next()[1]["payload"] == 2


def test_last_event_id_counts_more_than_since(host: LocalHost) -> None:
    for number in range(1, 6):
        host.backend.publish("a:b", number)
    epoch = host.backend.epoch
    with host.events(f"?since={epoch}.1", last=f"{epoch}.3") as last, host.events(f"?since={epoch}.1") as since:
        assert [last.next()[1]["payload"] for _ in range(2)] == [4, 5]
        assert since.next()[1]["payload"] == 2


def test_a_stream_that_breaks_off_again_and_again_is_exact(make_host: Callable[..., LocalHost]) -> None:
    host = make_host(page=11, recent=32)
    total = 1_500

    def pour() -> None:
        for number in range(total):
            host.backend.publish("a:b" if number % 2 else "a:c")

    publisher = threading.Thread(target=pour)
    chance = random.Random(3)
    seen: list[int] = []
    last = f"{host.backend.epoch}.0"
    publisher.start()
    while len(seen) < total:
        with host.events("?type=a:b&type=a:*", last=last) as stream:
            count = min(chance.randrange(1, 200), total - len(seen))
            seen += [stream.next()[1]["seq"] for _ in range(count)]
            assert stream.last is not None
            last = stream.last
    publisher.join()

    assert seen == list(range(1, total + 1))


def test_a_cursor_of_another_run_is_told_as_a_gap(host: LocalHost) -> None:
    host.backend.publish("a:b", 1)
    with host.events("?type=a:*&type=*:b", last="before.9") as stream:
        assert stream.next() == ("gap", {"from": "before.9", "to": f"{host.backend.epoch}.0"})
        assert stream.last == f"{host.backend.epoch}.0"
        assert stream.next()[1]["payload"] == 1


def test_a_stream_that_does_not_read_is_ended_and_resumes(make_host: Callable[..., LocalHost]) -> None:
    host = make_host(MemoryBackend(), out_buffer=100_000, send_buffer=16_384)
    with Events(host.port, receive_buffer=4_096) as stream, host.browser("bob/s2") as reader:
        reader.call("bus.subscribe", type="a:b")
        until(lambda: len(host.relay.clients()) == 2)
        host.backend.publish("a:b")  # from now it is known that this may be seen
        assert stream.next()[1]["seq"] == 1
        reader.message()
        count = 1
        while len(host.relay.clients()) == 2:
            host.backend.publish("a:b", "x" * 3_000)
            count += 1
            reader.message()
        seen = 1
        with suppress(EOFError):
            while stream.next()[1]["seq"] == seen + 1:
                seen += 1
        last = stream.last
    with host.events(last=last) as again:
        assert [again.next()[1]["seq"] for _ in range(count - seen)] == list(range(seen + 1, count + 1))
