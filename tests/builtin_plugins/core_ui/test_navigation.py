from __future__ import annotations

from typing import Any

import pytest

from builtin_plugins.core_ui.routes import mark_active
from corehost import NavigationItem

ITEMS = [
    NavigationItem(id="home", label="Home", path="/"),
    NavigationItem(
        id="notes",
        label="Notes",
        path="/notes",
        badge=3,
        children=(NavigationItem(id="tags", label="Tags", path="/notes/tags"),),
    ),
    NavigationItem(id="notebook", label="Notebook", path="/notebook"),
]


def active(path: str) -> list[Any]:
    items = mark_active(ITEMS, path)
    children = [child for item in items for child in item["children"]]  # type: ignore[attr-defined]  # values of a template
    return [item["id"] for item in [*items, *children] if item["active"]]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/notes", ["notes"]),
        ("/notes/12", ["notes"]),
        ("/notes/tags", ["tags"]),
        ("/notes/tags/red", ["tags"]),
        ("/notebook", ["notebook"]),
        ("/elsewhere", ["home"]),
    ],
)
def test_the_entry_that_fits_the_page_most_closely_is_active(path: str, expected: list[str]) -> None:
    assert active(path) == expected


def test_nothing_is_active_where_no_entry_fits() -> None:
    assert [item["active"] for item in mark_active(ITEMS[1:], "/other")] == [False, False]
