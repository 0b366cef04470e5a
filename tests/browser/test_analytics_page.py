from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import wait_until_live
from tests.serve.kit import Served

pytestmark = pytest.mark.browser


def test_its_numbers_and_charts_follow_the_bus(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/analytics?range=1h")
    wait_until_live(page)

    for _ in range(3):
        served.request("POST", "/api/plugins/messages", {"type": "note:saved", "payload": {}})

    expect(page.get_by_role("row", name="note:saved 3", exact=True)).to_be_visible()
    expect(page.locator("#recent")).to_contain_text("note:saved")
    expect(page.get_by_role("img", name="Messages by time")).to_be_visible()


def test_the_range_is_part_of_the_address(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/analytics")

    page.get_by_role("link", name="7 days").press("Enter")

    page.wait_for_url("**/analytics?range=7d")
    expect(page.get_by_role("link", name="7 days")).to_have_attribute("aria-current", "true")
