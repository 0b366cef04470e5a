from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from builtin_plugins.dashboard.layouts import Layout, Position, arrange, default_layout, tidied
from builtin_plugins.dashboard.widgets import OWN, Size

SIZES = st.builds(Size, w=st.integers(1, 6), h=st.integers(1, 4))
COLUMNS = st.integers(1, 6)


def cells(position: Position) -> set[tuple[int, int]]:
    columns = range(position["x"], position["x"] + position["w"])
    rows = range(position["y"], position["y"] + position["h"])
    return {(x, y) for x in columns for y in rows}


def test_the_default_grid_is_that_of_the_specification() -> None:
    assert default_layout("grid", OWN) == {
        "columns": 3,
        "widgets": [
            {"id": "stats", "position": {"x": 0, "y": 0, "w": 2, "h": 1}},
            {"id": "chart", "position": {"x": 2, "y": 0, "w": 1, "h": 2}},
            {"id": "recent", "position": {"x": 0, "y": 1, "w": 2, "h": 1}},
        ],
    }


def test_a_list_has_one_column_and_a_compact_layout_small_widgets() -> None:
    assert default_layout("list", OWN)["columns"] == 1
    assert {(p["position"]["w"], p["position"]["h"]) for p in default_layout("compact", OWN)["widgets"]} == {(1, 1)}


@given(columns=COLUMNS, sizes=st.lists(SIZES, max_size=20))
def test_no_two_widgets_overlap_and_none_leaves_the_grid(columns: int, sizes: list[Size]) -> None:
    layout = arrange(columns, [(str(index), size) for index, size in enumerate(sizes)])

    taken = [cell for placed in layout["widgets"] for cell in cells(placed["position"])]
    assert len(taken) == len(set(taken))
    assert all(x < columns for x, _ in taken)


@given(columns=COLUMNS, sizes=st.lists(SIZES, max_size=12))
def test_a_tidy_layout_stays_as_it_is(columns: int, sizes: list[Size]) -> None:
    once = tidied(arrange(columns, [(str(index), size) for index, size in enumerate(sizes)]))

    assert tidied(once)["columns"] == columns
    assert [placed["id"] for placed in tidied(tidied(once))["widgets"]] == [p["id"] for p in tidied(once)["widgets"]]


def test_a_widget_named_twice_is_shown_once() -> None:
    place: Position = {"x": 0, "y": 0, "w": 1, "h": 1}
    layout: Layout = {"columns": 2, "widgets": [{"id": "a", "position": place}, {"id": "a", "position": place}]}

    assert [placed["id"] for placed in tidied(layout)["widgets"]] == ["a"]


def test_a_widget_wider_than_the_grid_is_made_to_fit() -> None:
    assert arrange(2, [("a", {"w": 6, "h": 1})])["widgets"][0]["position"]["w"] == 2
