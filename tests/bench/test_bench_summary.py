"""The table for README."""

from __future__ import annotations

from benchmarks.figures import OURS, Board
from benchmarks.summary import summary


def test_ours_stands_beside_the_best_peer_and_not_beside_the_floor_or_a_variant_of_ours() -> None:
    board = Board()
    for who, value in ((OURS, 4.0), ("slow", 1.0), ("fast", 2.0), ("bare send", 9.0), (f"{OURS} with more", 8.0)):
        board.add("flood", who, "deliveries/s", value)

    row = summary({"fanout": board}).splitlines()[-1]

    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "flood",
        "deliveries/s",
        "4.00",
        "4.00–4.00",  # noqa: RUF001  # a range has an en dash
        "fast",
        "2.00",
        "2.00 ×",  # noqa: RUF001  # times, as in mathematics
    ]


def test_of_times_the_shortest_is_the_best() -> None:
    board = Board()
    for who, value in ((OURS, 4.0), ("slow", 10.0), ("fast", 8.0)):
        board.add("paced", who, "p99 ms", value)

    assert "fast" in summary({"fanout": board})


def test_who_has_no_peer_stands_alone() -> None:
    board = Board()
    board.add("sockets", OURS, "handshakes/s", 1_100.0)

    assert "1.10 k" in summary({"http": board})
