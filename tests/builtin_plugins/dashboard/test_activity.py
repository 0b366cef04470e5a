from __future__ import annotations

from builtin_plugins.dashboard.activity import MINUTES, activity, recent
from corehost import Message

NOW = 1_700_000_000_000


def message(minutes_ago: int, type: str = "clock:tick") -> Message:
    timestamp = NOW - minutes_ago * 60_000
    return Message(id=f"m{minutes_ago}", type=type, source="clock", payload=None, timestamp=timestamp, seq=1)


def test_each_of_the_last_thirty_minutes_has_a_point_the_present_one_last() -> None:
    points = activity([message(0), message(0), message(3), message(31)], NOW)["series"][0]["points"]

    assert len(points) == MINUTES
    assert [points[-1]["y"], points[-4]["y"], sum(point["y"] for point in points)] == [2, 1, 3]


def test_recent_messages_come_newest_first_and_without_their_payload() -> None:
    items = recent([message(2, "old"), message(1, "new")])["items"]

    assert [item["title"] for item in items] == ["new", "old"]
    assert set(items[0]) == {"title", "detail", "time"}
