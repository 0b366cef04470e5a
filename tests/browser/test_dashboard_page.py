from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Open, wait_until_live
from tests.serve.kit import Served, until

pytestmark = pytest.mark.browser


def widget(page: Page, title: str) -> Locator:
    return page.get_by_role("article", name=title, exact=True)


def titles(page: Page) -> list[str]:
    return page.locator("article .widget-title").all_inner_texts()


@pytest.fixture
def editor(page: Page, served: Served) -> Page:
    page.goto(f"{served.url}/dashboard/widgets")
    wait_until_live(page)
    return page


def grip(page: Page, title: str) -> Locator:
    return page.get_by_role("button", name=f"Move {title}", exact=True)


def test_its_widgets_show_data(page: Page) -> None:
    expect(widget(page, "Statistics")).to_contain_text("Plugins")
    expect(widget(page, "Activity Chart").get_by_role("img")).to_be_visible()
    expect(widget(page, "Recent Items").get_by_role("listitem").first).to_be_visible()


@pytest.mark.own_host
def test_a_widget_of_another_plugin_is_shown_and_goes_with_it(page: Page, served: Served) -> None:
    expect(widget(page, "Zone")).to_contain_text("UTC")

    served.request("PUT", "/api/plugins/clock/status?cascade=1", {"status": "disabled"})
    expect(widget(page, "Zone")).to_have_count(0)
    served.switch("clock", "enabled")

    expect(widget(page, "Zone")).to_contain_text("UTC")


@pytest.mark.own_host
def test_a_message_refreshes_the_widget_that_asked_for_it(page: Page, served: Served) -> None:
    expect(widget(page, "Zone")).to_contain_text("UTC")
    served.call("settings", "setConfig", {"plugin": "clock", "values": {"zone": "Europe/Bern"}})

    served.request("POST", "/api/plugins/messages", {"type": "clock:tick", "payload": {}})

    expect(widget(page, "Zone")).to_contain_text("Europe/Bern")


def test_a_live_message_appears_among_the_recent(page: Page, served: Served) -> None:
    served.request("POST", "/api/plugins/messages", {"type": "note:saved", "payload": {}})

    expect(widget(page, "Recent Items")).to_contain_text("note:saved")


@pytest.mark.own_host
def test_refreshing_on_one_page_refreshes_all(page: Page, open_page: Open, served: Served) -> None:
    other = open_page(beside=page)
    other.goto(page.url)
    expect(widget(other, "Zone")).to_contain_text("UTC")
    served.call("settings", "setConfig", {"plugin": "clock", "values": {"zone": "Asia/Tokyo"}})

    widget(page, "Zone").get_by_role("button", name="Refresh").press("Enter")

    expect(widget(other, "Zone")).to_contain_text("Asia/Tokyo")


def test_widgets_are_moved_by_keyboard_and_stay_there(editor: Page, served: Served, visitor: str) -> None:
    before = titles(editor)

    grip(editor, "Statistics").press("ArrowRight")

    expect(editor.locator("#announce")).to_contain_text("place 2 of")
    expect(grip(editor, "Statistics")).to_be_focused()
    expected = [before[1], before[0], *before[2:]]
    assert titles(editor) == expected
    wait_until_saved(served, visitor, "chart", "stats")
    editor.goto(f"{served.url}/dashboard")
    expect(editor.locator("article").first).to_have_accessible_name("Activity Chart")


def wait_until_saved(served: Served, user: str, *ids: str) -> None:
    def saved() -> bool:
        layout = served.call("dashboard", "getLayout", {"userId": user})
        return [placed["id"] for placed in layout["widgets"]][: len(ids)] == list(ids)

    until(saved, "the layout is saved")


def test_widgets_are_resized_by_keyboard(editor: Page) -> None:
    card = widget(editor, "Recent Items")

    grip(editor, "Recent Items").press("Shift+ArrowDown")
    expect(card).to_have_attribute("data-h", "2")
    card.get_by_role("button", name="Narrower").press("Enter")

    expect(card).to_have_attribute("data-w", "1")
    expect(editor.locator("#announce")).to_contain_text("1 wide and 2 high")


def test_a_widget_is_hidden_and_shown_again(editor: Page, served: Served) -> None:
    widget(editor, "Statistics").get_by_role("button", name="Hide").press("Enter")
    expect(widget(editor, "Statistics")).to_have_count(0)

    show = editor.get_by_role("button", name="Show Statistics")
    expect(show).to_be_focused()
    show.press("Enter")

    expect(widget(editor, "Statistics")).to_have_count(1)
    expect(editor.get_by_text("None: every widget is on the dashboard.")).to_be_visible()


def test_widgets_are_moved_by_mouse(editor: Page) -> None:
    first, second = titles(editor)[:2]

    grip(editor, first).drag_to(widget(editor, second))

    expect(editor.locator("article").first).to_have_accessible_name(second)


def test_an_arrangement_can_be_taken_back(editor: Page) -> None:
    before = titles(editor)
    widget(editor, "Statistics").get_by_role("button", name="Hide").press("Enter")
    expect(widget(editor, "Statistics")).to_have_count(0)

    editor.get_by_role("button", name="Reset").press("Enter")

    expect(widget(editor, "Statistics")).to_have_count(1)
    assert titles(editor) == before


def test_another_open_page_follows_the_new_layout(editor: Page, open_page: Open, served: Served) -> None:
    board = open_page(beside=editor)
    board.goto(f"{served.url}/dashboard")
    expect(widget(board, "Statistics")).to_be_visible()

    widget(editor, "Statistics").get_by_role("button", name="Hide").press("Enter")

    expect(widget(board, "Statistics")).to_have_count(0)
