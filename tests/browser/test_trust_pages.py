"""What a plugin may do, and who did what, as an administrator sees it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import wait_until_live
from tests.serve.kit import Served

pytestmark = pytest.mark.browser


@pytest.mark.own_host
def test_a_grant_is_taken_away_and_given_back_by_keyboard(page: Page, served: Served, visitor: str) -> None:
    page.goto(f"{served.url}/settings/plugins/analytics")
    wait_until_live(page)
    expect(page.get_by_role("heading", name="What Analytics may do")).to_be_visible()
    keep = page.get_by_role("switch", name="Keep data of its own on this host, within its quota.")

    keep.press("Space")
    expect(page.locator("#grants")).to_contain_text(f"Decided by {visitor}.")
    expect(keep).not_to_be_checked()
    assert "storage:write" not in served.get("/api/plugins/analytics").json()["permissions"]

    expect(keep).to_be_focused()
    keep.press("Space")
    expect(keep).to_be_checked()
    expect(keep).to_be_enabled()
    assert "storage:write" in served.get("/api/plugins/analytics").json()["permissions"]


@pytest.mark.own_host
def test_the_audit_log_is_read_by_filters(page: Page, served: Served) -> None:
    served.request("PUT", "/api/plugins/clock/grants", {"grants": {"api:expose": True}})
    served.request("PUT", "/api/plugins/clock/status?reload=1", {"status": "enabled"})
    page.goto(f"{served.url}/settings/audit")
    wait_until_live(page)
    rows = page.locator("#audit tr")
    expect(rows.filter(has_text="grant:give")).to_contain_text("permission: api:expose")
    expect(rows.filter(has_text="plugin:reload")).to_have_count(1)

    page.locator('[name="action"]').select_option("Grants")
    expect(rows.filter(has_text="plugin:reload")).to_have_count(0)
    expect(rows.filter(has_text="grant:give")).to_have_count(1)

    page.get_by_role("searchbox", name="Who").fill("user:nobody")
    expect(page.get_by_text("No entry fits.")).to_be_visible()
