from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Complaints, Open, sign_in
from tests.serve.kit import Served

pytestmark = pytest.mark.browser


def press_enter_on_the_link(page: Page, served: Served) -> None:
    page.goto(served.link)
    expect(page.get_by_role("button", name="Sign in")).to_be_focused()
    page.keyboard.press("Enter")


@pytest.mark.own_host
def test_the_link_signs_in_by_keyboard_and_once(open_page: Open, served: Served, complaints: Complaints) -> None:
    complaints.forgiven = ("401", "403")
    page = open_page()
    press_enter_on_the_link(page, served)
    page.wait_for_url("**/dashboard")

    stranger = open_page()
    press_enter_on_the_link(stranger, served)

    expect(page.get_by_role("heading", name="Dashboard", exact=True)).to_be_visible()
    expect(stranger.get_by_role("alert")).to_contain_text("used")


def test_a_stranger_sees_no_page_of_a_plugin(open_page: Open, served: Served, complaints: Complaints) -> None:
    complaints.forgiven = ("401", "403")
    page = open_page()

    page.goto(f"{served.url}/dashboard")

    expect(page.get_by_role("navigation", name="Main")).to_have_count(0)
    expect(page.get_by_role("heading", name="Dashboard")).to_have_count(0)


def test_signing_out_ends_it_for_every_page(open_page: Open, served: Served, complaints: Complaints) -> None:
    complaints.forgiven = ("401", "403", "WebSocket")
    page = sign_in(open_page(), served)

    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{served.url}/dashboard")

    expect(page.get_by_role("heading", name="Dashboard")).to_have_count(0)


def test_the_first_tab_leads_past_the_menu(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()

    page.keyboard.press("Enter")

    expect(page.locator("#main")).to_be_focused()
