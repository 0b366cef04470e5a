from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.serve.kit import Served

pytestmark = pytest.mark.browser


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A host that reloads the one plugin in its folder when that is saved."""
    (tmp_path / "own").mkdir()
    shutil.copy(Path(__file__).parent / "plugins" / "clock.py", tmp_path / "own")
    host = Served(tmp_path / "data", "--plugins", str(tmp_path / "own"), "--reload")
    yield host.ready()
    host.kill()


def test_a_page_shows_what_its_author_saves_and_what_is_wrong_with_it(
    page: Page, served: Served, tmp_path: Path
) -> None:
    file = tmp_path / "own" / "clock.py"
    page.goto(f"{served.url}/clock")
    expect(page.locator("[data-connection-text]")).to_have_text("Live")

    file.write_text(file.read_text().replace("What time is it?", "Watch"))

    expect(page.get_by_role("heading", name="Watch")).to_be_visible()
    expect(page.locator("[data-connection-text]")).to_have_text("Live")

    file.write_text("def half(:\n")

    expect(page.get_by_role("alert")).to_contain_text("clock.py:1")
    expect(page.get_by_role("heading", name="Watch")).to_be_visible()
