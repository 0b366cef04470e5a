"""Install, upgrade and remove on the settings page, by keyboard, with the progress shown live."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Complaints, wait_until_live
from tests.serve.kit import Served

pytestmark = pytest.mark.browser
CODE = """
from corehost import ApiSpec, Manifest, Method, hookimpl

@hookimpl
def corehost_manifest():
    return Manifest(id="greeter", name="Greeter", version={version!r}, description="", permissions=("api:expose",))

@hookimpl
def corehost_api():
    return ApiSpec(version="1.0.0", methods={{"version": Method(handler=lambda input, context: {version!r})}})
"""


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    for version in ("1.0.0", "2.0.0"):
        folder = tmp_path / version / "greeter"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(CODE.format(version=version))
    return tmp_path


@pytest.fixture
def plugins(page: Page, served: Served) -> Page:
    page.goto(f"{served.url}/settings/plugins")
    wait_until_live(page)
    return page


def row(page: Page) -> Locator:
    return page.locator('[data-id="greeter"]')


def jobs(page: Page) -> Locator:
    return page.get_by_role("list", name="Being changed")


def ask(page: Page, opener: Locator, source: str) -> None:
    opener.press("Enter")
    field = page.get_by_label("Package name, path on the host, or https address")
    expect(field).to_be_focused()
    field.fill(source)
    field.press("Enter")


@pytest.mark.own_host
def test_a_plugin_is_installed_upgraded_taken_back_and_removed_by_keyboard(
    plugins: Page, served: Served, versions: Path
) -> None:
    ask(plugins, plugins.get_by_role("button", name="Install a plugin"), str(versions / "1.0.0" / "greeter"))
    expect(row(plugins)).to_contain_text("1.0.0")
    expect(row(plugins).locator(".status-badge")).to_have_text("enabled")
    expect(jobs(plugins)).not_to_be_visible()
    assert served.call("greeter", "version") == "1.0.0"

    row(plugins).locator("summary").press("Enter")
    expect(row(plugins).get_by_role("button", name="Roll back Greeter")).not_to_be_visible()
    ask(plugins, row(plugins).get_by_role("button", name="Upgrade Greeter"), str(versions / "2.0.0" / "greeter"))
    expect(jobs(plugins)).to_contain_text("It runs, and is on trial")
    expect(row(plugins)).to_contain_text("2.0.0")

    row(plugins).get_by_role("button", name="Roll back Greeter").press("Enter")
    plugins.get_by_role("dialog", name="Roll Greeter back?").get_by_role("button", name="Roll back").press("Enter")
    expect(row(plugins)).to_contain_text("1.0.0")
    jobs(plugins).get_by_role("button", name="Dismiss").press("Enter")

    row(plugins).get_by_role("button", name="Remove Greeter").press("Enter")
    question = plugins.get_by_role("dialog", name="Remove Greeter?")
    question.get_by_label(re.compile("Also delete")).press("Space")
    question.get_by_role("button", name="Remove").press("Enter")
    expect(row(plugins)).to_have_count(0)


def test_an_archive_is_sent_and_what_is_wrong_with_it_is_shown(plugins: Page, versions: Path) -> None:
    archive = versions / "greeter.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("greeter/__init__.py", CODE.format(version="1.0.0") + "\nimport nothing_of_this_name\n")

    plugins.get_by_role("button", name="Install a plugin").press("Enter")
    plugins.get_by_label("Or send a wheel or zip").set_input_files(archive)
    plugins.get_by_role("dialog", name="Install a plugin").get_by_role("button", name="Install").press("Enter")

    expect(jobs(plugins)).to_contain_text("Installing greeter failed")
    expect(jobs(plugins)).to_contain_text("nothing_of_this_name")
    jobs(plugins).get_by_role("button", name="Dismiss").press("Enter")
    expect(jobs(plugins)).not_to_be_visible()
    expect(plugins.get_by_role("button", name="Install a plugin")).to_be_focused()


def test_a_refusal_is_told_where_it_was_asked(plugins: Page, complaints: Complaints) -> None:
    complaints.forgiven = ("409", "422", "status of 4")
    opener = plugins.get_by_role("button", name="Install a plugin")
    opener.press("Enter")
    sheet = plugins.get_by_role("dialog", name="Install a plugin")
    sheet.get_by_role("button", name="Install").press("Enter")

    expect(sheet.get_by_role("alert")).to_contain_text("Name a source")
    plugins.keyboard.press("Escape")
    expect(sheet).not_to_be_visible()
