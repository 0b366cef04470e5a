from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Complaints, Open, sign_in, wait_until_live
from tests.serve.kit import Served

pytestmark = pytest.mark.browser
PAGES = (
    "/dashboard",
    "/dashboard/widgets",
    "/analytics",
    "/settings/plugins",
    "/settings/plugins/clock",
    "/settings/appearance",
    "/core-ui/components",
    "/clock",
    "/docs",
)


def theme(page: Page) -> str | None:
    return page.locator("html").get_attribute("data-bs-theme")


def test_a_notification_from_the_bus_is_shown_and_can_be_dismissed(page: Page, served: Served) -> None:
    payload = {"text": "The backup is done.", "level": "success"}

    served.request("POST", "/api/plugins/messages", {"type": "notification:show", "payload": payload})

    notifications = page.get_by_role("region", name="Notifications")
    expect(notifications).to_contain_text("The backup is done.")
    page.get_by_role("button", name="Dismiss").press("Enter")
    expect(notifications).not_to_contain_text("backup")


def test_markup_in_a_notification_is_shown_as_text(page: Page, served: Served) -> None:
    payload = {"text": "<img src=x onerror=alert(1)>"}

    served.request("POST", "/api/plugins/messages", {"type": "notification:show", "payload": payload})

    expect(page.get_by_role("region", name="Notifications")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.locator("#toasts img")).to_have_count(0)


def test_a_chosen_theme_holds_on_every_page_of_the_user_and_without_a_flash(page: Page, open_page: Open) -> None:
    other = open_page(beside=page)
    other.goto(page.url)
    wait_until_live(other)

    page.get_by_role("button", name="Dark", exact=True).press("Enter")

    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    expect(other.locator("html")).to_have_attribute("data-bs-theme", "dark")
    expect(page.get_by_role("button", name="Dark", exact=True)).to_have_attribute("aria-pressed", "true")
    sent = page.context.request.get(page.url).text()
    assert 'data-bs-theme="dark"' in sent, "the server itself must send the theme, or the page would flash"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_without_a_choice_the_page_looks_like_the_device_before_its_body_is_read(
    open_page: Open, served: Served, scheme: str
) -> None:
    page = open_page(color_scheme=scheme)
    page.add_init_script(
        "new MutationObserver(() => document.body && (window.firstTheme ??= document.documentElement.dataset.bsTheme))"
        ".observe(document, {childList: true, subtree: true})"
    )
    sign_in(page, served)

    assert theme(page) == scheme
    assert page.evaluate("window.firstTheme") == scheme


def test_auto_follows_the_device_while_the_page_is_open(page: Page) -> None:
    page.emulate_media(color_scheme="dark")

    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")


def test_the_menu_marks_the_page_and_opens_what_lies_below(page: Page) -> None:
    menu = page.get_by_role("navigation", name="Main")
    expect(menu.get_by_role("link", name="Dashboard")).to_have_attribute("aria-current", "page")

    menu.get_by_role("button", name="Pages below Settings").press("Enter")
    menu.get_by_role("link", name="Appearance").press("Enter")

    page.wait_for_url("**/settings/appearance")
    expect(menu.get_by_role("link", name="Appearance")).to_have_attribute("aria-current", "page")
    expect(menu.get_by_role("link", name="Dashboard")).not_to_have_attribute("aria-current", "page")


def test_a_badge_is_shown_beside_its_entry(page: Page) -> None:
    expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Clock")).to_contain_text("12")


@pytest.mark.own_host
def test_the_menu_follows_plugins_without_a_reload(page: Page, served: Served) -> None:
    entry = page.get_by_role("navigation", name="Main").get_by_role("link", name="Clock")
    page.evaluate("window.isSamePage = true")

    assert served.request("PUT", "/api/plugins/clock/status?cascade=1", {"status": "disabled"}).status == 200
    expect(entry).to_have_count(0)
    served.switch("clock", "enabled")
    expect(entry).to_have_count(1)

    assert page.evaluate("window.isSamePage")


def test_on_a_narrow_screen_the_menu_is_a_drawer_for_mouse_and_keyboard(open_page: Open, served: Served) -> None:
    page = sign_in(open_page(width=390), served)
    menu = page.get_by_role("navigation", name="Main")
    expect(menu).not_to_be_visible()

    page.get_by_role("button", name="Open menu").press("Enter")
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")

    expect(menu).not_to_be_visible()
    expect(page.get_by_role("button", name="Open menu")).to_be_focused()


@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_fits_the_screen_and_every_control_has_a_name(open_page: Open, served: Served, width: int) -> None:
    page = sign_in(open_page(width=width), served)

    for path in PAGES:
        page.goto(served.url + path)
        wait_until_live(page)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        assert page.locator("h1:visible").count() == 1, path
        assert unnamed(page) == [], path


def unnamed(page: Page) -> list[str]:
    """Return the controls that a screen reader could not name."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea")]
            .filter((one) => one.checkVisibility())
            .filter((one) => !(one.getAttribute("aria-label") || one.labels?.length || one.textContent.trim()
                               || one.querySelector("img[alt]:not([alt=''])")))
            .map((one) => one.outerHTML.slice(0, 120))"""
    )
    return found


@pytest.mark.own_host
def test_the_page_says_that_it_lost_the_host_and_comes_back_by_itself(
    page: Page, served: Served, complaints: Complaints
) -> None:
    complaints.forgiven = ("WebSocket", "Failed to load resource", "503")
    state = page.locator("[data-connection-text]")

    served.stop()
    expect(state).to_have_text("Reconnecting…")
    again = Served(served.folder, "--port", str(served.port), *_plugins_of(served))
    try:
        again.ready()
        expect(state).to_have_text("Live", timeout=30_000)
        payload = {"text": "Back again."}
        again.request("POST", "/api/plugins/messages", {"type": "notification:show", "payload": payload})
        expect(page.get_by_role("region", name="Notifications")).to_contain_text("Back again.")
    finally:
        again.kill()


def _plugins_of(served: Served) -> tuple[str, ...]:
    arguments = served.process.args
    assert isinstance(arguments, list)
    at = arguments.index("--plugins")
    return (str(arguments[at]), str(arguments[at + 1]))


def test_a_page_that_does_not_exist_is_told_inside_the_shell(
    page: Page, served: Served, complaints: Complaints
) -> None:
    complaints.forgiven = ("404",)

    page.goto(f"{served.url}/nowhere")

    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile("Not found", re.IGNORECASE))).to_be_visible()
