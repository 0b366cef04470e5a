"""A real host, a real Chromium, and somebody who is signed in."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.serve.kit import Served

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT = 15_000  # ms
Open = Callable[..., Page]
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    expect.set_options(timeout=WAIT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """Start a host with the built-ins and the plugins in ``tests/browser/plugins``."""
    host = Served(folder / "data", "--plugins", str(Path(__file__).parent / "plugins"))
    try:
        yield host.ready()
    finally:
        host.kill()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The host of all tests of a file that leave it as it was, but for people and what these have chosen."""
    with serving(tmp_path_factory.mktemp("shared")) as host:
        yield host


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """The file's host; one that nobody else has for a test that is marked ``own_host``."""
    if request.node.get_closest_marker("own_host") is None:
        yield request.getfixturevalue("shared")
        return
    with serving(request.getfixturevalue("tmp_path")) as host:
        yield host


class Complaints:
    """What a page's console said that it should not; a page that breaks the strict policy says so there, too."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.forgiven: tuple[str, ...] = ()

    def follow(self, page: Page) -> None:
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.texts.append(str(error)))

    def of_note(self) -> list[str]:
        return [text for text in self.texts if not any(word in text for word in self.forgiven)]

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.texts.append(f"{message.text} ({message.location.get('url', '')})")


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def open_page(browser: Browser, complaints: Complaints, served: Served) -> Iterator[Open]:
    """Open pages: ``open_page(width=390, color_scheme="dark")``; whatever they complain of fails the test.

    It asks for *served* so that pages are closed before the host goes: they would complain of that.
    """
    with ExitStack() as closers:

        def start(*, beside: Page | None = None, width: int = 1280, color_scheme: str = "light") -> Page:
            context = beside.context if beside else None
            if context is None:
                context = browser.new_context(
                    viewport={"width": width, "height": 900},
                    color_scheme=color_scheme,  # type: ignore[arg-type]  # a Literal of the same words
                    reduced_motion="reduce",
                )
                context.set_default_timeout(WAIT)
                closers.callback(context.close)
            page = context.new_page()
            complaints.follow(page)
            return page

        yield start
    assert complaints.of_note() == []


def newcomer(served: Served) -> str:
    """Add an administrator whom no test has met, and return their id."""
    name = f"visitor{next(_numbers)}"
    assert served.request("POST", "/api/users", {"id": name, "roles": ["administrator"]}).status == 201
    return name


def sign_in(page: Page, served: Served, who: str | None = None) -> Page:
    """Use a link, a newcomer's unless it says *who*, and wait until the dashboard is live."""
    link = served.request("POST", f"/api/users/{who or newcomer(served)}/link")
    page.goto(link.json()["url"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/dashboard")
    wait_until_live(page)
    return page


def wait_until_live(page: Page) -> None:
    expect(page.locator("[data-connection-text]")).to_have_text("Live")


@pytest.fixture
def visitor(served: Served) -> str:
    """The id of who is signed in on ``page``."""
    return newcomer(served)


@pytest.fixture
def page(open_page: Open, served: Served, visitor: str) -> Page:
    """The dashboard of somebody who is signed in."""
    return sign_in(open_page(), served, visitor)
