"""Messages from the bus to those who hear them: each once, in order, or told what is missing."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest

from tests.web.relay.browser import Browser, RpcFailureError, rpc
from tests.web.relay.conftest import LocalHost, until
from tests.web.relay.memory_backend import MemoryBackend, MemoryFeed


def test_a_message_comes_once_however_many_subscriptions_match(host: LocalHost) -> None:
    with host.browser() as browser:
        for pattern in ("a:*", "*:b", "a:b", "a:b"):
            browser.call("bus.subscribe", type=pattern)
        host.backend.publish("a:b", 1)
        host.backend.publish("a:c", 2)

        assert [browser.message()["payload"] for _ in range(2)] == [1, 2]
        assert browser.nothing_more()


def test_the_frame_carries_the_message_and_its_cursor(host: LocalHost) -> None:
    with host.browser() as browser:
        subscribed = browser.call("bus.subscribe", type="a:b")
        sent = host.backend.publish("a:b", {"x": 1}, source="clock")

        assert subscribed == {"subscription": "s1", "cursor": f"{host.backend.epoch}.0"}
        assert browser.next("bus.message") == {
            "message": {
                "id": "m1",
                "type": "a:b",
                "source": "clock",
                "payload": {"x": 1},
                "timestamp": sent.timestamp,
                "seq": 1,
            },
            "cursor": f"{host.backend.epoch}.1",
        }


def test_what_was_unsubscribed_is_not_heard_any_more(host: LocalHost) -> None:
    with host.browser() as browser:
        first = browser.call("bus.subscribe", type="a:*")["subscription"]
        browser.call("bus.subscribe", type="*:b")
        browser.call("bus.unsubscribe", subscription=first)
        host.backend.publish("a:c")
        host.backend.publish("a:b", 2)

        assert browser.message()["payload"] == 2
        assert browser.nothing_more()
        with pytest.raises(RpcFailureError) as refused:
            browser.call("bus.unsubscribe", subscription=first)
        assert refused.value.code == -32004


def test_only_the_sources_asked_for_are_heard(host: LocalHost) -> None:
    with host.browser() as one, host.browser() as several, host.browser() as any_source:
        one.call("bus.subscribe", type="a:b", source="clock")
        several.call("bus.subscribe", type="a:b", source=["clock", "core"])
        any_source.call("bus.subscribe", type="a:b", source="clock")
        any_source.call("bus.subscribe", type="a:*")
        for source in ("core", "clock", "other"):
            host.backend.publish("a:b", source, source=source)

        assert [one.message()["payload"]] == ["clock"]
        assert [several.message()["payload"] for _ in range(2)] == ["core", "clock"]
        assert [any_source.message()["payload"] for _ in range(3)] == ["core", "clock", "other"]
        assert all(browser.nothing_more() for browser in (one, several, any_source))


def test_a_target_alone_hears_besides_the_tools_of_administrators(host: LocalHost) -> None:
    with (
        host.browser("alice/s1") as alice,
        host.browser("bob/s2") as bob,
        host.browser("admin/s3") as admins_page,
        host.browser("admin") as tool,
    ):
        for browser in (alice, bob, admins_page, tool):
            browser.call("bus.subscribe", type="a:*")
        host.backend.publish("a:all", 1)
        host.backend.publish("a:user", 2, target="user:alice")
        host.backend.publish("a:session", 3, target="session:s2")
        host.backend.publish("a:plugin", 4, target="clock")
        host.backend.publish("a:all", 5)

        assert [tool.message()["payload"] for _ in range(5)] == [1, 2, 3, 4, 5]
        assert [alice.message()["payload"] for _ in range(3)] == [1, 2, 5]
        assert [bob.message()["payload"] for _ in range(3)] == [1, 3, 5]
        assert [admins_page.message()["payload"] for _ in range(2)] == [1, 5]
        history = bob.call("bus.history", type="a:*")["items"]
        assert [item["payload"] for item in history] == [1, 3, 5]
        replayed = alice.call("bus.subscribe", type="a:*", since=f"{host.backend.epoch}.0")
        assert replayed["subscription"]


def test_what_one_may_not_see_is_neither_delivered_nor_replayed(host: LocalHost) -> None:
    host.backend.denied = {"secret:a"}
    host.backend.publish("secret:a", 1)
    host.backend.publish("open:a", 2)
    with host.browser() as browser:
        browser.call("bus.subscribe", type="*", since=f"{host.backend.epoch}.0")
        host.backend.publish("secret:a", 3)
        host.backend.publish("open:a", 4)

        assert [browser.message()["payload"] for _ in range(2)] == [2, 4]
        assert browser.nothing_more()
        assert [item["payload"] for item in browser.call("bus.history")["items"]] == [2, 4]


def test_a_verdict_is_asked_once_for_all_of_a_view_until_it_is_forgotten(host: LocalHost) -> None:
    with host.browser("alice/s1") as alice, host.browser("bob/s2") as bob:
        for browser in (alice, bob):
            browser.call("bus.subscribe", type="*")
        for _ in range(3):
            host.backend.publish("a:b")
            for browser in (alice, bob):
                browser.message()
        assert host.backend.asked == ["a:b"]

        host.backend.denied = {"a:b"}
        host.relay.forget_permissions()
        host.backend.publish("a:b")
        host.backend.publish("a:c", "seen")

        assert alice.message()["payload"] == bob.message()["payload"] == "seen"


def test_a_verdict_that_takes_long_holds_up_only_those_it_is_about(host: LocalHost) -> None:
    decided = host.backend.undecided["slow:type"] = threading.Event()
    with host.browser("alice/s1") as waiting, host.browser("bob/s2") as late, host.browser("admin") as other:
        other.call("bus.subscribe", type="a:*")
        waiting.call("bus.subscribe", type="*")
        host.backend.publish("slow:type", 1)
        host.backend.publish("a:b", 2)
        assert other.message()["payload"] == 2
        late.call("bus.subscribe", type="*")
        host.backend.publish("a:b", 3)
        assert other.message()["payload"] == 3

        decided.set()

        assert [waiting.message()["payload"] for _ in range(3)] == [1, 2, 3]
        assert late.message()["payload"] == 3
        assert late.nothing_more()


def test_a_subscription_resumes_after_its_cursor_without_hole_or_double(host: LocalHost) -> None:
    for number in range(1, 11):
        host.backend.publish("a:b", number)
    with host.browser() as browser:
        browser.call("bus.subscribe", type="a:*", since=f"{host.backend.epoch}.4")
        host.backend.publish("a:b", 11)

        assert browser.messages(7) == [5, 6, 7, 8, 9, 10, 11]
        assert browser.nothing_more()


def test_resuming_while_messages_pour_in_is_exact(make_host: Callable[..., LocalHost]) -> None:
    host = make_host(page=7, recent=16)
    total = 6_000
    pace = threading.Event()

    def pour() -> None:
        for number in range(total):
            host.backend.publish("a:b" if number % 3 else "a:c")
            if number % 50 == 0:
                pace.wait(0.001)

    publisher = threading.Thread(target=pour)
    publisher.start()
    seen: list[int] = []
    cursor = f"{host.backend.epoch}.0"
    chance = random.Random(7)
    while len(seen) < total:
        with host.browser() as browser:
            browser.call("bus.subscribe", type="a:*", since=cursor)
            for _ in range(min(chance.randrange(1, 600), total - len(seen))):
                params = browser.next("bus.message")
                seen.append(params["message"]["seq"])
                cursor = params["cursor"]
    publisher.join()

    assert seen == list(range(1, total + 1))


def test_a_second_subscription_that_resumes_doubles_and_disorders_nothing(make_host: Callable[..., LocalHost]) -> None:
    host = make_host(page=3)
    for number in range(1, 21):
        host.backend.publish("a:b" if number % 2 else "a:c")
    with host.browser() as browser:
        browser.call("bus.subscribe", type="a:b", since=f"{host.backend.epoch}.10")
        assert browser.messages(5) == [11, 13, 15, 17, 19]
        host.backend.publish("a:c")
        host.backend.publish("a:b")
        assert browser.messages(1) == [22]
        browser.call("bus.subscribe", type="a:*", since=f"{host.backend.epoch}.5")
        host.backend.publish("a:b")

        # of a:b only what the first had not brought, then all that is live
        assert browser.messages(12) == [6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 21, 23]
        assert browser.nothing_more()


def test_a_cursor_of_another_run_is_answered_with_a_gap_and_what_there_is(host: LocalHost) -> None:
    host.backend.publish("a:b", 1)
    with host.browser() as browser:
        subscribed = browser.call("bus.subscribe", type="a:b", since="before.17")

        start = f"{host.backend.epoch}.0"
        assert subscribed["cursor"] == start
        assert browser.next("bus.gap") == {"from": "before.17", "to": start}
        assert browser.message()["payload"] == 1


def test_what_history_has_lost_is_named_in_a_gap(make_host: Callable[..., LocalHost]) -> None:
    backend = MemoryBackend(keep=3)
    host = make_host(backend)
    for _ in range(10):
        backend.publish("a:b")
    with host.browser() as browser:
        browser.call("bus.subscribe", type="a:b", since=f"{backend.epoch}.2")

        assert browser.next("bus.gap") == {"from": f"{backend.epoch}.2", "to": f"{backend.epoch}.7"}
        assert browser.messages(3) == [8, 9, 10]


def test_what_the_feed_has_lost_is_told_to_all_who_subscribe(host: LocalHost) -> None:
    with host.browser() as browser, host.browser() as silent:
        browser.call("bus.subscribe", type="a:b")
        gap = host.backend.lose(5)
        host.backend.publish("a:b")

        assert browser.next("bus.gap") == {"from": gap.start, "to": gap.end}
        assert browser.messages(1) == [6]
        assert silent.nothing_more()


def test_a_malformed_cursor_is_bad_input_and_no_subscription(host: LocalHost) -> None:
    with host.browser() as browser:
        with pytest.raises(RpcFailureError) as refused:
            browser.call("bus.subscribe", type="a:b", since="nonsense")
        host.backend.publish("a:b")

        assert refused.value.code == -32602
        assert browser.nothing_more()
    until(lambda: host.backend.feeds == 0)


def test_a_message_that_is_no_json_is_told_as_a_gap(host: LocalHost) -> None:
    with host.browser() as browser:
        browser.call("bus.subscribe", type="a:b")
        host.backend.publish("a:b", object())
        host.backend.publish("a:b", 2)

        assert browser.next("bus.gap") == {"from": f"{host.backend.epoch}.0", "to": f"{host.backend.epoch}.1"}
        assert browser.message()["payload"] == 2


def test_the_feed_is_open_only_while_somebody_subscribes(host: LocalHost) -> None:
    with host.browser() as browser:
        assert host.backend.feeds == 0
        one = browser.call("bus.subscribe", type="a:b")["subscription"]
        assert host.backend.feeds == 1
        browser.call("bus.unsubscribe", subscription=one)
        assert host.backend.feeds == 0
        browser.call("bus.subscribe", type="a:b")
    until(lambda: host.backend.feeds == 0)


def test_a_ping_tells_the_cursor_that_is_safe_to_resume_from(host: LocalHost) -> None:
    with host.browser() as browser:
        browser.call("bus.subscribe", type="a:b")
        host.backend.publish("other:type")
        host.backend.publish("a:b")
        browser.message()

        assert browser.call("ping") == {"cursor": f"{host.backend.epoch}.2"}


def test_a_flood_waits_for_its_readers_and_closes_none(make_host: Callable[..., LocalHost]) -> None:
    host = make_host(out_buffer=100_000, send_buffer=16_384, patience=60.0)
    with host.raw(receive_buffer=32_768) as raw, host.browser() as other:
        raw.open()
        raw.json()
        raw.send(rpc("bus.subscribe", type="a:b"))
        raw.json()
        host.backend.publish("a:b")
        raw.json()
        for _ in range(500):
            host.backend.publish("a:b", "x" * 2_000)
        place = _place_of_rest(other)

        assert place != f"{host.backend.epoch}.501"  # it has paused, with much to hand out
        assert [raw.json()["params"]["message"]["seq"] for _ in range(500)] == list(range(2, 502))


def _place_of_rest(browser: Browser) -> str:
    """Return the cursor at which the relay stays for a while."""
    pause = threading.Event()
    while True:
        before = browser.call("ping")["cursor"]
        pause.wait(0.1)
        after: str = browser.call("ping")["cursor"]
        if before == after:
            return after


def test_what_comes_while_the_feed_opens_belongs_to_the_cursor(make_host: Callable[..., LocalHost]) -> None:
    class Racing(MemoryBackend):
        def open_feed(self, wake: Callable[[], None]) -> MemoryFeed:
            feed = super().open_feed(wake)
            self.publish("a:b", "came between")
            return feed

    host = make_host(Racing())
    with host.browser() as browser:
        cursor = browser.call("bus.subscribe", type="a:b")["cursor"]
        host.backend.publish("a:b")

        assert (cursor, browser.messages(1)) == (f"{host.backend.epoch}.1", [2])  # 1 is what the cursor covers
        assert browser.nothing_more()


def test_what_piles_up_while_a_verdict_is_awaited_is_read_from_the_history(make_host: Callable[..., LocalHost]) -> None:
    host = make_host(out_buffer=50_000, page=64)
    decided = host.backend.undecided["a:b"] = threading.Event()
    with host.browser() as browser, host.browser() as other:
        browser.call("bus.subscribe", type="a:*")
        other.call("bus.subscribe", type="c:*")
        for number in range(500):
            host.backend.publish("a:b", "x" * 1_000)
            host.backend.publish("a:c", number)
        host.backend.publish("c:d")
        assert other.messages(1) == [1_001]
        decided.set()
        host.backend.publish("a:b")

        assert browser.messages(1_001) == [*range(1, 1_001), 1_002]
        assert browser.nothing_more()
