from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from corehost.cli.building import build_manifest
from tests.browser.conftest import Complaints, wait_until_live
from tests.serve.kit import Served

pytestmark = pytest.mark.browser
DRAFT = """
from corehost import Manifest, Route, RoutesSpec, hookimpl

@hookimpl
def corehost_manifest():
    return Manifest(id="draft", name="Draft", version="1.0.0", description="", permissions=("routes:register",))

@hookimpl
def corehost_routes():
    return RoutesSpec(base_path="/draft", routes=(Route(path="/", view=lambda: "first words"),))
"""
LATE = "\n@hookimpl\ndef corehost_setup(context):\n    raise RuntimeError('not today')\n"
SLEEPER = """
from corehost import ApiSpec, Method, hookimpl

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={"rest": Method(handler=lambda input, context: "well")})
"""
ASLEEP = {
    "id": "sleeper",
    "name": "Sleeper",
    "version": "1.0.0",
    "description": "",
    "activation": "on-demand",
    "permissions": ["api:expose"],
}


@pytest.fixture
def plugins(page: Page, served: Served) -> Page:
    page.goto(f"{served.url}/settings/plugins")
    wait_until_live(page)
    return page


def switch(page: Page, name: str) -> Locator:
    return page.get_by_role("switch", name=name, exact=True)


def row(page: Page, plugin_id: str) -> Locator:
    return page.locator(f'[data-id="{plugin_id}"]')


def test_every_plugin_is_listed_with_status_version_and_reason(plugins: Page) -> None:
    expect(row(plugins, "clock")).to_contain_text("1.2.3")
    expect(row(plugins, "clock").locator(".status-badge")).to_have_text("enabled")
    expect(row(plugins, "broken").locator(".status-badge")).to_have_text("error")
    expect(row(plugins, "broken").get_by_role("note")).to_contain_text("token")

    row(plugins, "clock").locator("summary").press("Enter")

    expect(row(plugins, "clock")).to_contain_text("api:expose, plugins:communicate, routes:register")


def test_a_plugin_is_switched_off_and_on_by_keyboard_while_the_page_stays_live(plugins: Page, served: Served) -> None:
    entry = plugins.get_by_role("navigation", name="Main").get_by_role("link", name="Analytics")
    plugins.evaluate("window.isSamePage = true")

    switch(plugins, "Analytics").press("Space")
    expect(row(plugins, "analytics").locator(".status-badge")).to_have_text("disabled")
    expect(entry).to_have_count(0)
    assert served.get("/analytics").status == 404

    switch(plugins, "Analytics").press("Space")
    expect(row(plugins, "analytics").locator(".status-badge")).to_have_text("enabled")
    expect(entry).to_have_count(1)

    expect(switch(plugins, "Analytics")).to_be_focused()
    expect(plugins.locator("[data-connection-text]")).to_have_text("Live")
    assert plugins.evaluate("window.isSamePage")


@pytest.mark.own_host
def test_a_plugin_that_others_need_goes_with_them_only_if_agreed(plugins: Page) -> None:
    question = plugins.get_by_role("dialog", name="Switch off Clock?")

    switch(plugins, "Clock").press("Space")
    expect(question).to_contain_text("Alarm")
    plugins.keyboard.press("Escape")
    expect(question).not_to_be_visible()
    expect(switch(plugins, "Clock")).to_be_checked()

    switch(plugins, "Clock").press("Space")
    question.get_by_role("button", name="Switch all off").press("Enter")

    for plugin_id in ("clock", "alarm"):
        expect(row(plugins, plugin_id).locator(".status-badge")).to_have_text("disabled")


def test_switching_off_settings_itself_says_how_to_come_back(plugins: Page) -> None:
    switch(plugins, "Settings").press("Space")

    question = plugins.get_by_role("dialog", name="Switch off Settings?")
    expect(question).to_contain_text("corehost plugin enable settings")
    question.get_by_role("button", name="Cancel").press("Enter")
    expect(switch(plugins, "Settings")).to_be_checked()


@pytest.mark.own_host
def test_what_others_change_is_seen_at_once(plugins: Page, served: Served) -> None:
    expect(switch(plugins, "Alarm")).to_be_checked()

    served.switch("alarm", "disabled")

    expect(switch(plugins, "Alarm")).not_to_be_checked()


def test_the_list_can_be_searched(plugins: Page) -> None:
    expect(row(plugins, "clock")).to_be_visible()

    plugins.get_by_role("searchbox", name="Find a plugin").fill("rings")

    expect(row(plugins, "alarm")).to_be_visible()
    expect(row(plugins, "clock")).not_to_be_visible()


@pytest.mark.own_host
def test_a_plugin_is_reloaded_by_keyboard_and_a_fault_is_shown_with_file_and_line(
    plugins: Page, served: Served, complaints: Complaints
) -> None:
    complaints.forgiven = ("502",)
    file = lay(served, "draft.py", DRAFT)
    button = plugins.get_by_role("button", name="Reload Draft")
    fault = row(plugins, "draft").locator(".plugin-fault")
    expect(button).to_be_visible()

    file.write_text(DRAFT.replace("first", "second"))
    button.press("Enter")
    expect(plugins.locator("#announce")).to_have_text("Draft is reloaded.")
    assert "second words" in served.get("/draft").text
    expect(button).to_be_focused()

    file.write_text(DRAFT + LATE)
    button.press("Enter")
    line = file.read_text().split("\n").index("    raise RuntimeError('not today')") + 1
    expect(fault).to_contain_text("'draft' is back as it was. Its new code failed: 'corehost_setup'")
    expect(fault).to_contain_text(f"RuntimeError: not today ({file}:{line})")
    expect(row(plugins, "draft").locator(".status-badge")).to_have_text("enabled")
    assert "second words" in served.get("/draft").text

    file.write_text(DRAFT)
    button.press("Enter")
    expect(fault).not_to_be_visible()
    expect(button).to_be_focused()


@pytest.mark.own_host
def test_a_reload_keeps_the_focus_even_if_it_is_over_before_the_list_says_so(plugins: Page, served: Served) -> None:
    lay(served, "draft.py", DRAFT)
    button = plugins.get_by_role("button", name="Reload Draft")
    expect(button).to_be_visible()
    is_late = True

    def as_it_was(route: Route) -> None:
        answer = route.fetch()
        listed = answer.json()
        for item in listed["items"]:
            item["status"] = "unloading" if is_late and item["id"] == "draft" else item["status"]
        route.fulfill(response=answer, json=listed)

    plugins.route("**/api/plugins/manifest", as_it_was)
    button.press("Enter")
    expect(row(plugins, "draft").locator(".status-badge")).to_have_text("unloading")
    expect(plugins.locator("#announce")).to_have_text("Draft is reloaded.")
    is_late = False
    assert served.switch("analytics", "disabled").status == 200
    expect(row(plugins, "draft").locator(".status-badge")).to_have_text("enabled")

    expect(button).to_be_focused()


@pytest.mark.own_host
def test_a_plugin_that_sleeps_is_shown_so_until_it_is_used(plugins: Page, served: Served, tmp_path: Path) -> None:
    folder = tmp_path / "built" / "sleeper"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(ASLEEP))
    (folder / "__init__.py").write_text(SLEEPER)
    build_manifest(folder)
    folder.rename(lay(served, "sleeper", None))
    badge = row(plugins, "sleeper").locator(".status-badge")

    expect(badge).to_have_text("not loaded yet")
    with plugins.context.expect_page() as opened:
        plugins.evaluate("window.open('/settings/plugins/sleeper')")
    expect(opened.value.locator(".status-badge")).to_have_text("not loaded yet")
    assert served.call("sleeper", "rest") == "well"
    expect(badge).to_have_text("enabled")
    opened.value.reload()
    expect(opened.value.locator(".status-badge")).to_have_text("enabled")


def lay(served: Served, name: str, code: str | None) -> Path:
    """Return where a plugin lies in the host's folder, once it was written there."""
    path = served.folder / "plugins" / name
    path.parent.mkdir(exist_ok=True)
    if code is not None:
        path.write_text(code)
    return path


@pytest.mark.own_host
def test_a_wrong_setting_is_shown_at_its_field_and_a_right_one_is_saved(
    plugins: Page, served: Served, complaints: Complaints
) -> None:
    complaints.forgiven = ("422",)
    row(plugins, "clock").get_by_role("link", name="Configure Clock").press("Enter")
    plugins.wait_for_url("**/settings/plugins/clock")

    plugins.get_by_label("Interval").fill("1")
    plugins.get_by_label("Zone").fill("Europe/Bern")
    plugins.get_by_role("button", name="Save").press("Enter")
    expect(plugins.get_by_label("Interval")).to_be_focused()
    expect(plugins.get_by_label("Interval")).to_have_accessible_description(expected_fault())
    expect(plugins.get_by_label("Zone")).to_have_value("Europe/Bern")

    plugins.get_by_label("Interval").fill("10")
    plugins.get_by_label("Interval").press("Enter")
    expect(plugins.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    assert served.call("clock", "now") == {"items": [{"label": "Zone", "value": "Europe/Bern"}]}


def expected_fault() -> str:
    return "1 is less than the minimum of 5"


def test_the_theme_is_chosen_on_the_page_of_appearance(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/settings/appearance")
    wait_until_live(page)

    page.get_by_role("radio", name="Dark").press("Space")

    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.reload()
    expect(page.get_by_role("radio", name="Dark")).to_be_checked()
