from __future__ import annotations

from typing import Any

import pytest

from corehost import InvalidError, PermissionSet, UserContext
from corehost.testing import HostFactory, MemoryHost, Messages

ADA = UserContext(id="ada", permissions=PermissionSet({"plugin:analytics:use"}))
ROOT = UserContext(id="root", permissions=PermissionSet({"*"}))


@pytest.fixture
def host(corehost_host: HostFactory) -> MemoryHost:
    return corehost_host("core-ui", "analytics")


def ask(host: MemoryHost, method: str, **input: Any) -> Any:
    host.bus.drain()
    return host.call("analytics", method, input, user=ADA)


def test_messages_are_counted_by_type(host: MemoryHost) -> None:
    for _ in range(3):
        host.bus.send("clock:tick", {})
    host.bus.send("note:saved", {})

    counts = ask(host, "getCounts", type="*:*")

    assert {"type": "clock:tick", "count": 3} in counts["items"]
    assert {"type": "note:saved", "count": 1} in counts["items"]
    assert ask(host, "getCounts", type="clock:*")["total"] == 3


@pytest.mark.parametrize("step", ["minute", "hour", "day"])
def test_messages_are_counted_by_time(host: MemoryHost, step: str) -> None:
    host.bus.send("clock:tick", {})

    answer = ask(host, "getSeries", step=step, periods=5, type="clock:*")

    points = answer["series"][0]["points"]
    assert len(points) == 5
    assert sum(point["y"] for point in points) == 1


def test_a_split_series_has_a_line_for_each_type(host: MemoryHost) -> None:
    for name in ("a:x", "a:y"):
        host.bus.send(name, {})

    assert sorted(one["label"] for one in ask(host, "getSeries", split=True, type="a:*")["series"]) == ["a:x", "a:y"]


def test_the_newest_messages_are_told_without_their_payload(host: MemoryHost) -> None:
    host.bus.send("note:saved", {"secret": "s3cret"})

    newest = ask(host, "getRecent", limit=1)

    assert newest["items"][0]["title"] == "note:saved"
    assert "s3cret" not in str(newest)


def test_updates_are_told_and_not_counted_themselves(host: MemoryHost, messages: Messages) -> None:
    host.bus.send("clock:tick", {})

    assert messages.wait_for("analytics:data-updated").payload["recorded"] >= 1
    assert ask(host, "getCounts", type="analytics:*")["total"] == 0


def test_what_was_counted_survives_that_it_is_switched_off_at_once(host: MemoryHost) -> None:
    host.bus.send("clock:tick", {})
    host.bus.drain()

    host.disable("analytics")
    host.enable("analytics")

    assert ask(host, "getCounts", type="clock:*")["total"] == 1
    assert "clock:tick" in [item["title"] for item in ask(host, "getRecent")["items"]]


def test_ignored_types_are_not_counted_and_that_applies_live(host: MemoryHost) -> None:
    host.host.plugins.config.set("analytics", {"ignore": ["noise:*"]}, user=ROOT)

    host.bus.send("noise:loud", {})
    host.bus.send("music:soft", {})

    assert ask(host, "getCounts", type="noise:*")["total"] == 0
    assert ask(host, "getCounts", type="music:*")["total"] == 1


def test_a_flood_is_written_together(host: MemoryHost, messages: Messages) -> None:
    for _ in range(1_000):
        host.bus.send("flood:drop", {})
    host.bus.drain()

    assert ask(host, "getCounts", type="flood:*")["total"] == 1_000
    assert len(messages.of("analytics:data-updated")) < 5


def test_updates_are_told_every_two_seconds_at_most_however_often_it_writes(
    host: MemoryHost, messages: Messages
) -> None:
    host.host.plugins.config.set("analytics", {"writeInterval": 0.1}, user=ROOT)
    host.disable("analytics")
    host.enable("analytics")
    before = messages.of("analytics:data-updated")

    times = []
    for _ in range(len(before) + 2):
        host.bus.send("clock:tick", {})
        times.append(messages.wait_for("analytics:data-updated").timestamp)

    assert times[-1] - times[-2] > 1_900


@pytest.mark.parametrize("bad", [{"hours": 0}, {"hours": "all"}, {"type": ""}, {"limit": 100_000}, {"more": 1}])
def test_a_wrong_question_is_refused(host: MemoryHost, bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidError):
        host.call("analytics", "getCounts", bad, user=ADA)


def test_its_page_shows_numbers_and_keeps_to_known_ranges(host: MemoryHost) -> None:
    assert 'href="?range=1h" aria-current="true"' in host.get("/analytics?range=1h").text
    assert 'href="?range=24h" aria-current="true"' in host.get("/analytics?range=nonsense").text


def test_it_offers_the_dashboard_widgets_that_answer(corehost_host: HostFactory) -> None:
    host = corehost_host("core-ui", "dashboard", "analytics")

    widgets = host.call("dashboard", "getWidgets", {}, user=ROOT)

    sources = [widget["source"] for widget in widgets if widget["id"].startswith("analytics:")]
    assert len(sources) == 2
    for source in sources:
        assert host.call(source["plugin"], source["method"], source["input"], user=ADA)


def test_how_much_was_recorded_can_be_followed(host: MemoryHost, messages: Messages) -> None:
    host.bus.send("clock:tick", {})
    messages.wait_for("analytics:data-updated")

    assert host.store("analytics", "totals")["recorded"] >= 1
