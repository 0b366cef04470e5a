from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Complaints, Open, sign_in
from tests.serve.kit import Served

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"


@pytest.fixture
def people(page: Page, served: Served) -> Page:
    page.goto(f"{served.url}/settings/people")
    expect(page.get_by_role("list", name="Users").get_by_text("admin", exact=True)).to_be_visible()
    return page


def add(served: Served, name: str, *roles: str) -> None:
    body = {"id": name, "password": PASSWORD, "roles": list(roles)}
    assert served.request("POST", "/api/users", body).status == 201


def enter(page: Page, served: Served, name: str, password: str = PASSWORD) -> None:
    """Sign in by keyboard alone."""
    page.goto(f"{served.url}/signin")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")


def press(page: Page, button: str) -> None:
    """Press a button by keyboard once the page's script listens."""
    expect(page.get_by_role("button", name=button)).to_be_enabled()
    page.get_by_role("button", name=button).press("Enter")


def test_a_user_is_added_by_keyboard_and_comes_in_by_the_link(
    people: Page, open_page: Open, served: Served, complaints: Complaints
) -> None:
    complaints.forgiven = ("422",)
    people.get_by_role("button", name="Add user").focus()
    people.keyboard.press("Enter")
    dialog = people.get_by_role("dialog", name="Add user")
    expect(dialog.get_by_label("Name")).to_be_focused()
    people.keyboard.type("a b")
    people.keyboard.press("Enter")
    expect(dialog.get_by_text("no reserved word")).to_be_visible()
    expect(dialog.get_by_label("Name")).to_have_attribute("aria-invalid", "true")

    dialog.get_by_label("Name").fill("ann")
    dialog.get_by_label("member").check()
    people.keyboard.press("Enter")
    shown = people.get_by_role("dialog", name="Sign-in link for ann")
    link = shown.get_by_label("Secret").input_value()
    shown.get_by_role("button", name="I have it").press("Enter")
    expect(people.get_by_role("list", name="Users").get_by_role("heading", name="ann")).to_be_visible()

    ann = open_page()
    ann.goto(link)
    ann.get_by_role("button", name="Sign in").click()
    ann.wait_for_url("**/dashboard")
    ann.get_by_title("your account").click()
    ann.get_by_label("New password").fill(PASSWORD)
    press(ann, "Set password")
    expect(ann.get_by_label("Present password")).to_be_visible()
    expect(people.get_by_role("list", name="Users")).not_to_contain_text("ann no password")


def test_a_password_is_never_sent_by_a_page_whose_script_is_not_there_yet(
    page: Page, served: Served, complaints: Complaints
) -> None:
    complaints.forgiven = ("ERR_FAILED",)
    page.route("**/account.js", lambda route: route.abort())
    page.goto(f"{served.url}/account")
    page.get_by_label("New password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Set password").press("Enter")

    expect(page.get_by_label("New password")).to_have_value(PASSWORD)
    assert page.url == f"{served.url}/account"


def test_name_and_password_sign_in_by_keyboard(open_page: Open, served: Served, complaints: Complaints) -> None:
    complaints.forgiven = ("403",)
    add(served, "bea", "member")
    page = open_page(width=390, color_scheme="dark")
    enter(page, served, "bea", "wrong")
    expect(page.get_by_role("alert")).to_contain_text("do not fit")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard")


def test_a_token_is_shown_once_and_can_be_revoked(page: Page, served: Served) -> None:
    page.goto(f"{served.url}/account")
    page.get_by_label("Name of a new token").fill("build server")
    page.get_by_label("What it may do").fill("core:read")
    press(page, "Make token")
    dialog = page.get_by_role("dialog", name="Copy this token now")
    secret = dialog.get_by_label("Token").input_value()
    headers = {"Authorization": f"Bearer {secret}"}
    assert served.get("/api/plugins/manifest", headers=headers, token=False).status == 200

    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert secret not in page.content()
    page.get_by_role("button", name="Revoke the token build server").press("Enter")
    expect(page.get_by_role("button", name="Revoke the token build server")).to_have_count(0)
    assert served.get("/api/plugins/manifest", headers=headers, token=False).status == 401


def test_an_administrator_ends_the_sessions_of_another(
    people: Page, visitor: str, open_page: Open, served: Served, complaints: Complaints
) -> None:
    complaints.forgiven = ("403", "401")
    add(served, "cleo", "member")
    pages = [open_page() for _ in range(3)]
    for page in pages:
        enter(page, served, "cleo")
        page.wait_for_url("**/dashboard")
    people.get_by_role("button", name="Sessions: cleo").press("Enter")
    dialog = people.get_by_role("dialog", name="Sessions of cleo")
    ends = dialog.get_by_role("button", name="End the session in Chrome on Linux")
    expect(ends).to_have_count(3)

    ends.first.press("Enter")
    expect(dialog.get_by_role("status")).to_have_text("The session in Chrome on Linux has ended.")
    expect(ends).to_have_count(2)
    expect(ends.first).to_be_focused()
    dialog.get_by_role("button", name="End all").press("Enter")
    expect(dialog.get_by_text("Signed in nowhere.")).to_be_visible()
    for page in pages:
        page.goto(f"{served.url}/dashboard")
        page.wait_for_url("**/signin**")
    people.keyboard.press("Escape")

    people.get_by_role("button", name=f"Sessions: {visitor}").press("Enter")
    mine = people.get_by_role("dialog", name=f"Sessions of {visitor}")
    expect(mine.get_by_text("this browser")).to_be_visible()
    expect(mine.get_by_role("button", name="End all")).to_be_hidden()


def test_pages_follow_what_is_changed_elsewhere(people: Page, served: Served) -> None:
    add(served, "bob", "member")
    expect(people.get_by_role("list", name="Users").get_by_role("heading", name="bob")).to_be_visible()
    served.request("DELETE", "/api/users/bob")
    expect(people.get_by_role("list", name="Users").get_by_role("heading", name="bob")).to_have_count(0)


def test_a_page_whose_user_loses_a_role_hears_no_more_and_reconnects(
    open_page: Open, served: Served, complaints: Complaints
) -> None:
    complaints.forgiven = ("403", "401")
    add(served, "dora", "member")
    page = open_page()
    enter(page, served, "dora")
    page.wait_for_url("**/dashboard")
    expect(page.locator("[data-connection-text]")).to_have_text("Live")

    served.request("PATCH", "/api/users/dora", {"roles": []})

    expect(page.locator("[data-connection-text]")).to_have_text("Live")
    page.goto(f"{served.url}/dashboard")
    expect(page.get_by_role("alert")).to_contain_text("plugin:dashboard:use")


def test_who_is_disabled_is_signed_out_of_open_pages(open_page: Open, served: Served, complaints: Complaints) -> None:
    complaints.forgiven = ("401",)
    add(served, "emil", "member")
    page = open_page()
    enter(page, served, "emil")
    page.wait_for_url("**/dashboard")
    expect(page.locator("[data-connection-text]")).to_have_text("Live")

    served.request("PATCH", "/api/users/emil", {"disabled": True})

    expect(page.locator("[data-connection-text]")).to_have_text("Signed out")


def test_who_may_not_manage_people_sees_no_such_page(open_page: Open, served: Served, complaints: Complaints) -> None:
    complaints.forgiven = ("403",)
    add(served, "fay", "member")
    page = open_page()
    enter(page, served, "fay")
    page.wait_for_url("**/dashboard")
    expect(page.get_by_role("link", name="People")).to_have_count(0)
    page.goto(f"{served.url}/settings/people")
    expect(page.get_by_role("alert")).to_contain_text("users:manage")


@pytest.mark.parametrize("path", ["/account", "/settings/people"])
def test_nothing_is_wider_than_a_telephone(open_page: Open, served: Served, path: str) -> None:
    page = sign_in(open_page(width=390, color_scheme="dark"), served)
    page.goto(f"{served.url}{path}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
