"""Figures, tables and goals."""

from __future__ import annotations

import pytest
from benchmarks.figures import OURS, Board, short
from benchmarks.goals import at_least, at_most, missed
from benchmarks.tables import comparison, table


def board_of(ours: list[float], theirs: list[float]) -> Board:
    board = Board()
    for mine, other in zip(ours, theirs, strict=True):
        board.add("work", OURS, "per s", mine)
        board.add("work", "peer", "per s", other)
    return board


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123, "0.12"),
        (7.8, "7.80"),
        (78.04, "78.0"),
        (999.4, "999"),
        (999.9, "1.00 k"),
        (1_234_567, "1.23 M"),
        (99_990, "100 k"),
    ],
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    assert short(value) == text


def test_a_ratio_compares_what_felt_the_same_machine() -> None:
    # The machine was half as fast in the third round, for both; medians of the two sides would say 200 / 80.
    board = board_of([200, 400, 100], [100, 80, 50])

    assert board.ratio("work", OURS, "peer", "per s") == 2


def test_what_was_not_measured_has_no_ratio() -> None:
    board = board_of([1], [1])

    assert board.ratio("work", OURS, "another", "per s") is None
    assert board.ratio("work", OURS, "peer", "ms") is None


def test_a_round_of_ours_that_failed_spoils_the_figures() -> None:
    board = board_of([2, 2], [1, 1])
    board.note("work", OURS, "3 messages lost")

    assert board.ratio("work", OURS, "peer", "per s") is None
    assert board.median("work", OURS, "per s") is None


@pytest.mark.parametrize(("value", "is_met"), [(1.2, True), (1.19, False), (None, False), (float("nan"), False)])
def test_a_goal_is_met_or_missed(value: float | None, is_met: bool) -> None:
    goal = at_least("fast", 1.2, value)

    assert goal.is_met is is_met
    assert missed([goal]) == ([] if is_met else [goal])
    assert str(goal).startswith("reached" if is_met else "MISSED")


def test_a_goal_may_be_a_ceiling() -> None:
    assert at_most("small", 20, 20).is_met
    assert not at_most("small", 20, 20.1).is_met


def test_a_table_shows_median_range_ratio_and_what_is_missing() -> None:
    board = board_of([300, 100, 200], [100, 100, 100])
    board.note("work", "absent", "needs node: sudo apt-get install -y nodejs")

    lines = comparison(board, ["work"], "per s").splitlines()

    assert [" ".join(line.split()) for line in lines[2:]] == [
        "| work | corehost | 200 | 100–300 | |",  # noqa: RUF001  # a range has an en dash
        "| work | peer | 100 | 100–100 | 2.00 × |",  # noqa: RUF001  # ditto, and times as in mathematics
        "| work | absent | needs node: sudo apt-get install -y nodejs | | |",
    ]


def test_columns_line_up() -> None:
    lines = table(("name", "n"), [("a", "1"), ("longer", "1,000")]).splitlines()

    assert lines == ["| name   |     n |", "| ------ | ----: |", "| a      |     1 |", "| longer | 1,000 |"]
